"""What the administrator's page says, in Russian and English."""

from __future__ import annotations

from datetime import datetime, timedelta

from assistant.ingest.upload import UploadRefused
from assistant.ui.texts import date_text

_RU = {
    "documents": "Документы",
    "upload": "Добавить документы",
    "place": "Папка",
    "choose": "Выберите папку; рядом — отдел, который её читает",
    "whole_source": "верхний уровень",
    "files": "Файлы",
    "files_hint": "Каждый не больше {mb} МБ. Кто прочтёт документ, решает папка. Читаются: {extensions}.",
    "replace": "Заменить файлы с такими же именами",
    "send_files": "Добавить",
    "no_places": "Нет папки, в которую вы можете добавлять документы: ни одна не открыта вам для чтения.",
    "stored": "Добавлено файлов: {n}.",
    "refused": "Не добавлено",
    "loading": "Загрузка",
    "load_now": "Загрузить новое и изменённое",
    "load_hint": "Просмотреть папки источников и загрузить то, что в них появилось или изменилось.",
    "running": "Источник «{name}» загружается.",
    "looking": "Просматриваются папки.",
    "waits": "Ждём: документы сейчас загружает другая программа.",
    "progress": "Файлов: {files} из {total}. Страниц: {pages}, из них распознано: {ocr}. Не удалось: {failed}.",
    "current": "Читается: {path}",
    "current_other": "Читается документ другого отдела.",
    "next": "Следом: {names}.",
    "more_files": "Добавить ещё документы",
    "follow": "Следить за загрузкой",
    "at": "{name}, {at}",
    "report": "Файлов: {seen}. Добавлено: {added}, обновлено: {updated}, удалено: {deleted}, без изменений: {unchanged}.",
    "report_pages": "Страниц: {pages}, из них распознано: {ocr}. Выдержек: {chunks}, за {seconds} с.",
    "report_failed": "Не загружено: {n}, причины ниже.",
    "skipped": "Пропущены, потому что такие файлы этот источник не читает: {paths}",
    "more": "и ещё {n}",
    "failed": "Не загружены",
    "loaded_last": "Последние загруженные",
    "none_failed": "Таких документов нет.",
    "retry": "Прочитать их ещё раз",
    "failed_more": "И ещё {n}: assistant documents list --status failed",
    "failed_others": "Документов других отделов: {n}. Их имена и причины видны тем, кто вправе их читать.",
    "total": "Вы вправе читать документов: {n}. Документов других отделов: {others}.",
    "col.path": "Документ",
    "col.access": "Кто читает",
    "col.pages": "Страниц",
    "col.ocr": "Распознано",
    "col.chunks": "Выдержек",
    "col.loaded": "Загружен",
    "col.reason": "Причина",
    "earlier": "Ищется прежняя версия.",
    "level_short": "ур.",
    "refused.nothing": "Файл не выбран: выберите хотя бы один.",
    "refused.form": "Форма отправлена не полностью. Попробуйте ещё раз.",
    "refused.too_large": "Файл больше {mb} МБ (ingest.limits.file_mb).",
    "refused.too_much": "Слишком много сразу: отправьте меньше файлов.",
    "refused.no_place": "Такой папки в источнике нет, или вы не вправе читать то, что в ней лежит.",
    "refused.own_class": "В этом источнике документы сами называют свой отдел: кладите файлы прямо в его папку.",
    "refused.no_name": "У файла нет имени.",
    "refused.unprintable": "В имени файла невидимые знаки: переименуйте его.",
    "refused.reserved": "Так документ называться не может: переименуйте файл.",
    "refused.long_name": "Имя слишком длинное: {bytes} байт, можно 255 (буква кириллицы — два байта).",
    "refused.extension": "Такие файлы не читаются. Этот источник берёт: {extensions}.",
    "refused.excluded": "Правила источника пропускают такие имена (include, exclude).",
    "refused.exists": "Такой файл в этой папке уже есть: переименуйте свой или отметьте «Заменить».",
    "refused.not_replaced": "Такой файл в этой папке уже есть, и заменить его вы не вправе: переименуйте свой.",
    "refused.not_written": "Записать в папку источника не удалось: {reason}.",
}
_EN = {
    "documents": "Documents",
    "upload": "Add documents",
    "place": "Folder",
    "choose": "Choose a folder; beside it, the department that reads it",
    "whole_source": "top level",
    "files": "Files",
    "files_hint": "Up to {mb} MB each. The folder decides who may read a document. Readable: {extensions}.",
    "replace": "Replace files of the same name",
    "send_files": "Add",
    "no_places": "There is no folder that you may add documents to: none is open to you for reading.",
    "stored": "Files added: {n}.",
    "refused": "Not added",
    "loading": "Loading",
    "load_now": "Load what is new or changed",
    "load_hint": "Look through the source folders and load what was added or changed there.",
    "running": "Source “{name}” is being loaded.",
    "looking": "Looking through the folders.",
    "waits": "Waiting: another program is loading documents.",
    "progress": "Files: {files} of {total}. Pages: {pages}, by OCR: {ocr}. Failed: {failed}.",
    "current": "Reading: {path}",
    "current_other": "Reading a document of another department.",
    "next": "Next: {names}.",
    "more_files": "Add more documents",
    "follow": "Follow the loading",
    "at": "{name}, {at}",
    "report": "Files: {seen}. Added: {added}, updated: {updated}, removed: {deleted}, unchanged: {unchanged}.",
    "report_pages": "Pages: {pages}, by OCR: {ocr}. Passages: {chunks}, in {seconds} s.",
    "report_failed": "Not loaded: {n}; the reasons are below.",
    "skipped": "Passed over, because this source does not read such files: {paths}",
    "more": "and {n} more",
    "failed": "Not loaded",
    "loaded_last": "Last loaded",
    "none_failed": "There are none.",
    "retry": "Read them once more",
    "failed_more": "And {n} more: assistant documents list --status failed",
    "failed_others": "Documents of other departments: {n}. Their names and reasons are for those who may read them.",
    "total": "Documents that you may read: {n}. Documents of other departments: {others}.",
    "col.path": "Document",
    "col.access": "Read by",
    "col.pages": "Pages",
    "col.ocr": "By OCR",
    "col.chunks": "Passages",
    "col.loaded": "Loaded",
    "col.reason": "Reason",
    "earlier": "Its earlier version is searched.",
    "level_short": "level",
    "refused.nothing": "No file was chosen: choose at least one.",
    "refused.form": "The form arrived incomplete. Please try again.",
    "refused.too_large": "The file is larger than {mb} MB (ingest.limits.file_mb).",
    "refused.too_much": "Too much at once: send fewer files.",
    "refused.no_place": "There is no such folder in the source, or you may not read what is in it.",
    "refused.own_class": "Documents of this source name their department themselves: put files into its folder directly.",
    "refused.no_name": "The file has no name.",
    "refused.unprintable": "The file's name has invisible characters: rename it.",
    "refused.reserved": "A document can't be called so: rename the file.",
    "refused.long_name": "The name is too long: {bytes} bytes, at most 255 (a Cyrillic letter takes two).",
    "refused.extension": "Such files can't be read. This source takes {extensions}.",
    "refused.excluded": "The source's rules leave such names out (include, exclude).",
    "refused.exists": "There is such a file in this folder already: rename yours, or tick “Replace”.",
    "refused.not_replaced": "There is such a file in this folder already, and it is not yours to replace: rename yours.",
    "refused.not_written": "The source's folder can't be written: {reason}.",
}
_LANGUAGES = {"ru": _RU, "en": _EN}


def admin_texts(language: str) -> dict[str, str]:
    """Keys begin with `admin.`, so that they stand beside the other pages' texts."""
    return {f"admin.{key}": text for key, text in _LANGUAGES[language].items()}


def refusal_text(refused: UploadRefused, language: str) -> str:
    """Why a file was not taken, beside its name."""
    return _LANGUAGES[language][f"refused.{refused.kind}"].format(**refused.values)


def last_day_text(end: datetime, language: str) -> str:
    """The last whole day before a moment that something ends at."""
    return date_text((end.astimezone() - timedelta(seconds=1)).date().isoformat(), language)


def moment_text(at: datetime, language: str) -> str:
    """Day and minute in this machine's time."""
    local = at.astimezone()
    return f"{date_text(local.date().isoformat(), language)} {local:%H:%M}"
