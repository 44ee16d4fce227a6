"""What a document's page says, in Russian and English."""

from __future__ import annotations

_RU = {
    "file": "Файл",
    "version_of": "Редакция",
    "place": "Место",
    "page_of": "Страница {page} из {pages}",
    "before": "Предыдущая",
    "before_whole": "Предыдущая страница",
    "next": "Следующая",
    "next_whole": "Следующая страница",
    "cited": "К выдержке: страница {page}",
    "pages": "Страницы документа",
    "zoom": "Масштаб",
    "picture": "Страница {page} документа «{title}», картинкой; её текст — под ней",
    "page_text": "Текст страницы",
    "no_page_text": "Текста этой страницы нет среди загруженного.",
    "passage": "Выдержка, на которую ссылается ответ: {text}",
    "marked": "Выдержка отмечена на странице.",
    "marked_on": "Выдержка отмечена на страницах {pages}.",
    "scan": "Страница — скан без текстового слоя: выдержка отмечена не на картинке, а в тексте под ней.",
    "unmarked": "Точное место выдержки на картинке найти не удалось. Она отмечена в тексте под ней.",
    "as_text": "Показать текстом",
    "as_pages": "Показать страницей",
    "changed": "Файл после загрузки переместили, изменили или удалили, поэтому показаны не страницы, а загруженный текст.",
    "undrawn": "Страницу не удалось нарисовать (файл повреждён или слишком сложный): ниже — её загруженный текст.",
    "earlier_left_out": "Начало документа не показано.",
    "later_left_out": "Продолжение документа не показано.",
}
_EN = {
    "file": "File",
    "version_of": "Version",
    "place": "Place",
    "page_of": "Page {page} of {pages}",
    "before": "Previous",
    "before_whole": "Previous page",
    "next": "Next",
    "next_whole": "Next page",
    "cited": "To the passage: page {page}",
    "pages": "Pages of the document",
    "zoom": "Zoom",
    "picture": "Page {page} of “{title}” as a picture; its text is below",
    "page_text": "Text of the page",
    "no_page_text": "What was loaded holds no text of this page.",
    "passage": "The passage that the answer cites: {text}",
    "marked": "The passage is marked on the page.",
    "marked_on": "The passage is marked on the pages {pages}.",
    "scan": "The page is a scan without a text layer: the passage is marked not in the picture but in the text below.",
    "unmarked": "The exact place of the passage in the picture could not be found. It is marked in the text below.",
    "as_text": "Show as text",
    "as_pages": "Show the page",
    "changed": "The file was moved, changed or deleted after it was loaded, so no page is shown: below is the loaded text.",
    "undrawn": "The page could not be drawn (the file is damaged or too complex): below is its loaded text.",
    "earlier_left_out": "The beginning of the document is not shown.",
    "later_left_out": "The rest of the document is not shown.",
}
_LANGUAGES = {"ru": _RU, "en": _EN}


def document_texts(language: str) -> dict[str, str]:
    return _LANGUAGES[language]
