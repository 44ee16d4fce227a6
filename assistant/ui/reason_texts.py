"""Why a document could not be read, or not wholly, in Russian. The catalog, the command line and the API keep English.

Reasons are sentences that readers and the scan make; here each is a pattern, whose parts in braces are taken over. A
reason that has no pattern is shown as it is (a test walks over the sources, so that none of ours is left out).
"""

from __future__ import annotations

import re
from functools import cache

# English → Russian; {why} and {reason} are put into Russian themselves if they can be.
RUSSIAN = {
    # what a document is
    "the file is empty": "файл пустой",
    "no text was found in it": "в нём нет текста",
    "no text was found in it (empty, or pictures without text)": "в нём нет текста (он пустой или в нём картинки без слов)",
    "it has headings only, without text under them": "в нём одни заголовки, текста под ними нет",
    "it has no pictures to be recognised": "в нём нет картинок, которые можно распознать",
    "it is damaged or not what its name says": "он повреждён или это не то, чем назван",
    "it is damaged or not what its name says ({why})": "он повреждён или это не то, чем назван ({why})",
    "nothing was extracted": "ничего не извлечено",
    "it is damaged or not a PDF": "он повреждён или это не PDF",
    "it is damaged or not a PDF ({why})": "он повреждён или это не PDF ({why})",
    "it is damaged or not a letter": "он повреждён или это не письмо",
    "it is damaged or not a letter ({why})": "он повреждён или это не письмо ({why})",
    "it is damaged or not a picture": "он повреждён или это не картинка",
    "it is damaged: a part of the picture is missing": "он повреждён: части картинки нет",
    "it is not text (binary data, or an unknown encoding)": "это не текст (двоичные данные или неизвестная кодировка)",
    "it is not a table of values ({why})": "это не таблица значений ({why})",
    "its text is packed in an unknown way": "его текст упакован неизвестным способом",
    "files of this kind are not read": "такие файлы не читаются",
    "it needs a password (ingest.passwords)": "нужен пароль (ingest.passwords)",
    # limits
    "it is larger than {n} MB (ingest.limits.file_mb)": "он больше {n} МБ (ingest.limits.file_mb)",
    "it holds more than {n} files (ingest.limits.archive_files)": "файлов в нём больше {n} (ingest.limits.archive_files)",
    "it unpacks to more than {n} MB (ingest.limits.unpacked_mb)": (
        "распакованный, он больше {n} МБ (ingest.limits.unpacked_mb)"
    ),
    "it unpacks to hundreds of times its size, as an archive made to fill memory does": (
        "распакованный, он в сотни раз больше, как архив, который делают, чтобы занять память"
    ),
    "it is attached too deep (ingest.limits.nesting)": "он вложен слишком глубоко (ingest.limits.nesting)",
    "it has more than {n} million pixels": "пикселей в нём больше {n} миллионов",
    "it has more than {n} pages (ingest.limits.pages)": "страниц в нём больше {n} (ingest.limits.pages)",
    "it has {n} pages, more than {most} (ingest.limits.pages)": (
        "страниц в нём {n}, а можно не больше {most} (ingest.limits.pages)"
    ),
    "it holds more than {n} characters (ingest.limits.text_chars)": "знаков в нём больше {n} (ingest.limits.text_chars)",
    "reading took longer than {n} s (ingest.limits.seconds)": "чтение заняло больше {n} с (ingest.limits.seconds)",
    "reading needs more than {n} MB (ingest.limits.memory_mb)": (
        "чтению не хватило {n} МБ памяти (ingest.limits.memory_mb)"
    ),
    "recognition took longer than {n} s a page (ingest.limits.ocr_page_seconds)": (
        "распознавание заняло больше {n} с на страницу (ingest.limits.ocr_page_seconds)"
    ),
    # reading
    "the reader crashed on it": "программа чтения на нём упала",
    "the reader failed on it: {why}": "программа чтения с ним не справилась: {why}",
    "it could not be read ({why}); the next run tries again": (
        "прочитать его не удалось ({why}); следующая загрузка попробует снова"
    ),
    "it could not be cut into passages: {why}": "разрезать его на выдержки не удалось: {why}",
    "recognising scans needs Tesseract's data for {languages}: "
    "install {packages} (or set ingest.ocr.data to its folder)": (
        "для распознавания нужны данные Tesseract ({languages}): установите {packages} "
        "(или укажите их папку в ingest.ocr.data)"
    ),
    "pages that are only pictures are not recognised (ingest.ocr.enabled is off)": (
        "страницы-картинки не распознаются (ingest.ocr.enabled выключено)"
    ),
    "{file}: only {n} of its {all} scanned pages were recognised": (
        "{file}: из отсканированных страниц ({all}) распознаны только первые {n}"
    ),
    # files of a source
    "another file's name looks the same (it is in another Unicode form): rename one of them": (
        "имя другого файла выглядит так же (записано в другой форме Юникода): переименуйте один из них"
    ),
    "its path is longer than {n} characters: shorten the names of its folders": (
        "его путь длиннее {n} знаков: сократите имена папок"
    ),
    "its name is not valid UTF-8: rename it": "его имя — не UTF-8: переименуйте его",
    "its name is none: it leads to another folder": "такое имя недопустимо: оно ведёт в другую папку",
    "its name leads out of its folder": "его имя ведёт за пределы папки",
    "it is not a regular file": "это не обычный файл",
    "it is a link to a folder, and those are not followed: make that folder a source": (
        "это ссылка на папку, по таким не ходим: сделайте ту папку источником"
    ),
    "it is a link out of the source folder": "это ссылка за пределы папки источника",
    "it is a link to a file of another access class": "это ссылка на файл, который читают другие",
    "it is a link or another special file, and those are not followed": "это ссылка или особый файл, по таким не ходим",
    "it became a link while the source was read: the next run looks at it anew": (
        "пока читался источник, он стал ссылкой: следующая загрузка посмотрит на него заново"
    ),
    "it changed while it was read: the next run takes it": "пока его читали, он изменился: его возьмёт следующая загрузка",
    "it changed while it was fetched: the next run takes it": (
        "пока его скачивали, он изменился: его возьмёт следующая загрузка"
    ),
    "it can't be read: {why}": "прочитать его нельзя: {why}",
    "it can't be opened: {why}": "открыть его нельзя: {why}",
    "it can't be fetched: {why}": "скачать его не удалось: {why}",
    "it can't be fetched: the server sent {n} bytes in too long a time": (
        "скачать его не удалось: сервер слишком долго отдавал {n} байт"
    ),
    "the server does not let this account in (username, password, rights)": (
        "сервер не пускает эту учётную запись (имя, пароль, права)"
    ),
    # metadata and access
    "no access rule names it, so nobody may read it: add one to `access` in the pipeline, or .access.yaml beside it": (
        "ни одно правило доступа его не называет, поэтому читать его не может никто: добавьте правило в `access` "
        "или положите рядом .access.yaml"
    ),
    "its access file {file}": "файл прав доступа {file}",
    "its access file {file}: {why}": "файл прав доступа {file}: {why}",
    "its access file {file}: there are several in this folder, leave one": (
        "файл прав доступа {file}: их в папке несколько, оставьте один"
    ),
    "its access file {file}: says department {own}, {above} says {found}: it may only narrow who reads it, "
    "unless the pipeline has trust_metadata: true": (
        "файл прав доступа {file}: в нём отдел {own}, а выше ({above}) — {found}: без trust_metadata: true "
        "он может только сузить круг читателей"
    ),
    "its access file {file}: says level {own}, {above} says {found}: it may only narrow who reads it, "
    "unless the pipeline has trust_metadata: true": (
        "файл прав доступа {file}: в нём уровень {own}, а выше ({above}) — {found}: без trust_metadata: true "
        "он может только сузить круг читателей"
    ),
    "its metadata says department {own}, the pipeline's rule says {rule}: change one of them, "
    "or set trust_metadata: true in the pipeline": (
        "в его метаданных отдел {own}, по правилу загрузки — {rule}: измените одно из двух "
        "или поставьте trust_metadata: true"
    ),
    "its metadata says level {own}, the pipeline's rule says {rule}: metadata may only narrow who "
    "reads it, unless the pipeline has trust_metadata: true": (
        "в его метаданных уровень {own}, по правилу загрузки — {rule}: без trust_metadata: true "
        "метаданные могут только сузить круг читателей"
    ),
    "it is valid until {until}, before it is valid from {since}": (
        "он действует до {until}, раньше, чем вступает в силу ({since})"
    ),
    "it says of itself: {why}": "сам документ сообщает: {why}",
    "{file}, metadata_rules: {why}": "правило в {file}, metadata_rules: {why}",
    "its metadata file {file}: {why}": "файл его метаданных {file}: {why}",
    "it is larger than {n} KB": "он больше {n} КБ",
    "it is not in UTF-8: save it so": "он не в UTF-8: сохраните в ней",
    "it is no file, or a link, and those are not followed: copy it": (
        "это не файл или ссылка, по ним не ходим: скопируйте его"
    ),
    "its metadata file {file}, line {n}: {why}": "файл его метаданных {file}, строка {n}: {why}",
    "not valid YAML": "это не YAML",
    "write `key: value` lines, such as `date: 2026-01-31`": "пишите строки `ключ: значение`, например `date: 2026-01-31`",
    "'{key}' is here twice": "«{key}» здесь дважды",
    "'{key}': with its references it is longer than {n} KB": "«{key}»: со ссылками больше {n} КБ",
    "'{key}': a name that begins with _ is taken": "«{key}»: имя с _ в начале занято",
    "{key}: '{value}' is not a day such as 2026-01-31": "{key}: «{value}» — не день вида 2026-01-31",
    # a source as a whole
    "the source folder {folder} of pipeline '{name}' is not there: mount or make it, or change it in {file}": (
        "папки {folder} источника «{name}» нет: подключите или создайте её либо укажите другую в {file}"
    ),
    "the source folder {folder} of pipeline '{name}' was unmounted or replaced while it was listed: run it again": (
        "папку {folder} источника «{name}» отключили или заменили, пока её просматривали: запустите загрузку снова"
    ),
    "the folder {folder} can't be read: {why}. Give this account the right to read it, or name it under `exclude`": (
        "папку {folder} прочитать нельзя: {why}. Дайте право на чтение учётной записи программы "
        "или назовите папку в `exclude`"
    ),
    "{server} of pipeline '{name}' can't be listed: {why}. Nothing was changed: check the address, the account "
    "and the server, and run it again": (
        "просмотреть {server} (источник «{name}») не удалось: {why}. Ничего не изменено: проверьте адрес, учётную запись "
        "и сервер и запустите загрузку снова"
    ),
    "{server}: the access file {file} can't be had ({why}). Nothing was changed: check the account and the server, "
    "and run it again": (
        "{server}: получить файл прав доступа {file} не удалось ({why}). Ничего не изменено: проверьте учётную запись "
        "и сервер и запустите загрузку снова"
    ),
    "{reader} of pipeline '{name}' failed: {why}": "{reader} (источник «{name}») не справился: {why}",
    "pipeline '{name}': {n} of {all} documents are gone from the source. Is it mounted, and is no other pipeline file of "
    "the same name? Nothing was changed. If they were deleted on purpose, run again with --accept-deletions": (
        "источник «{name}»: пропало документов {n} из {all}. Подключена ли папка, нет ли другого файла загрузки с тем же "
        "именем? Ничего не изменено. Если они удалены нарочно, запустите на сервере assistant ingest --accept-deletions"
    ),
    "the embedding model failed ({why}); run the same command again once it works": (
        "модель эмбеддингов не ответила ({why}); когда она заработает, загрузите снова"
    ),
    "the processes that read files ended or do not answer (is the machine out of memory? lower ingest.workers); "
    "run the same command again": (
        "процессы чтения завершились или не отвечают (хватает ли памяти? уменьшите ingest.workers); загрузите снова"
    ),
    "the vector store failed: {why}; run the same command again": "хранилище векторов не ответило: {why}; загрузите снова",
    # of the system
    "Permission denied": "нет прав",
    "No such file or directory": "такого файла нет",
    "Input/output error": "ошибка ввода-вывода",
    "No space left on device": "на диске нет места",
}
_INCOMPLETE = "not all of it could be read: "
_SEMICOLONS = 2  # in one reason, at most
_PART = re.compile(r"\{(\w+)\}")


def reason_text(reason: str | None, language: str) -> str:
    """A reason of the catalog's as a person of that language reads it, empty for none."""
    if not reason or language != "ru":
        return reason or ""
    rest = reason.removeprefix(_INCOMPLETE)
    found = _several(rest)
    if rest != reason:
        return f"Прочитано не всё: {found}"
    return found if found[0] == reason[0] else found[0].upper() + found[1:]  # what is not ours keeps its letters


def _several(reason: str) -> str:
    """Reasons joined by semicolons, which a reason may have itself; one that is not known stays as it is."""
    parts, found = reason.split("; "), []
    while parts:
        ends = range(1, min(len(parts), _SEMICOLONS + 1) + 1)
        known = ((end, text) for end in ends if (text := _one("; ".join(parts[:end]))) is not None)
        end, text = next(known, (1, parts[0]))
        found.append(text)
        parts = parts[end:]
    return "; ".join(found)


def _one(reason: str) -> str | None:
    """Of the document itself, or of an attachment, whose name stands before it; None if nothing is known of it."""
    attachment, colon, why = reason.partition(": ")
    if (found := _ours(reason)) is None and colon and (found := _ours(why)) is not None:
        return f"{attachment}: {found}"
    return found


def _ours(reason: str) -> str | None:
    for pattern, russian in _patterns():
        if match := pattern.fullmatch(reason):
            return russian.format(**{name: _ours(value) or value for name, value in match.groupdict().items()})
    return None


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Those with the most words of their own first: a general one may match what another says more of."""
    ordered = sorted(RUSSIAN.items(), key=lambda pair: -len(_PART.sub("", pair[0])))
    return [
        (re.compile(_PART.sub(r"(?P<\1>.+)", _escaped(english)), re.DOTALL), russian) for english, russian in ordered
    ]


def _escaped(english: str) -> str:
    return "".join(part if _PART.fullmatch(part) else re.escape(part) for part in re.split(r"(\{\w+\})", english))
