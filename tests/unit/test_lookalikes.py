"""Look-alike letters: Russian words come back whole, English words and codes are left alone."""

from __future__ import annotations

import pytest

from assistant.parts.readers.lookalikes import is_language, likely_language, repair


@pytest.mark.parametrize(
    ("wrong", "right", "words"),
    [
        ("Bыбepитe пункт меню", "Выберите пункт меню", 1),
        ("Зaявка в IT-отдел", "Заявка в IT-отдел", 1),
        ("Windows нaстройка cервера", "Windows настройка сервера", 2),
        ("Hикто нe зaбыт", "Никто не забыт", 3),
        ("OTПУСК, CОВЕТ директоров", "ОТПУСК, СОВЕТ директоров", 2),
        ("HA ОСНОВАНИИ ПРИКАЗА", "НА ОСНОВАНИИ ПРИКАЗА", 1),
        ("отпуск. He позднее пяти дней", "отпуск. Не позднее пяти дней", 1),
        ("дней c 1 января", "дней с 1 января", 1),
        ("B соответствии с законом o порядке", "В соответствии с законом о порядке", 2),
        ("ра6ота над г0дом", "работа над годом", 2),
        ("3аявление подают лично", "Заявление подают лично", 1),
        ("Приказ Ne 15 от мая", "Приказ № 15 от мая", 1),
        ("законы CCCP и устав OOO Ромашка", "законы СССР и устав ООО Ромашка", 2),
        ("ГОСТ P 51141", "ГОСТ Р 51141", 1),
        ("the СЕО of the company signs а letter", "the CEO of the company signs a letter", 2),
        ("Sеrver of the раyroll office", "Server of the payroll office", 2),
    ],
)
def test_the_word_comes_back_into_its_alphabet(wrong: str, right: str, words: int) -> None:
    assert repair(wrong) == (right, words)


@pytest.mark.parametrize(
    "text",
    [
        "Стандарт ISO-27001, VPN, COVID-19 и CO2 в одном отчёте",
        "Письмо на ok@company.ru или https://BETA.example.com/COPY/хранилище",
        "купить HP и PC у нас, кнопка OK слева, нажмите CTRL+C затем",
        "витамин C полезен, план B утверждён, ось y направлена вверх, группа A",
        "Код ABC-123-CE, модель BMW X5, пароль: aBc123KO, формат A4",
        "Сервер APACHE и PATCH для Microsoft Exchange",
        "PDFы, APIшка и VPNом",
        "ул. Ленина 6б кв. 3а, этаж 0, 30 апреля 2020г., 3дня, дом 30а",
        "5 мм x 3 мм, МЕТОД HTTP POST КОТОРЫЙ, E-mail",
        "Contact ООО Ромашка in Moscow",
        "Добавьте A-запись домена, *C* и язык C, мелодия",
        "Мы ждём ответа от СЕО компании Tesla",
        "Федеральный закон N 273-ФЗ",
        "файл report_CO.doc и папка C:\\TEMP\\MAX",
        "A purely English CODE at the TOP: a c e o p x",
        "Чисто русский текст: номер, срок, акт 36 и 0,3 от 06.03.2020",
        "",
    ],
)
def test_what_is_right_stays_as_it_is(text: str) -> None:
    assert repair(text) == (text, 0)


def test_a_word_of_lookalikes_is_known_from_the_same_text() -> None:
    alone = "НАША KACCA ПРЕДПРИЯТИЯ"
    assert repair(alone) == (alone, 0)
    text = "КАССА РАБОТАЕТ ДО ШЕСТИ. ЗАКРЫТАЯ KACCA ПРЕДПРИЯТИЯ"
    assert repair(text) == (text.replace("KACCA", "КАССА"), 1)


def test_a_repaired_text_needs_no_further_repair() -> None:
    once, _ = repair("Bыбepитe пункт B соответствии c приказом Ne 5, HE ПОЗДНЕЕ СРОКА")
    assert repair(once) == (once, 0)


def test_neighbours_tell_the_language() -> None:
    russian = ["в", "предусмотренных", "законом", "popmax", "получения", "образования"]
    assert likely_language(russian, 3) == "rus"
    assert likely_language(russian, 2) is None
    english = ["we", "had", "been", "вебе", "hunting", "for", "days"]
    assert likely_language(english, 3) == "eng"
    assert likely_language(["сервер", "VPN", "and", "Wi-Fi"], 2) is None
    assert is_language("«формах»,", "rus")
    assert not is_language("фopmах", "rus")
    assert is_language("here.", "eng")
    assert not is_language("—", "eng")
