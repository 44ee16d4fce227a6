"""Sentences of a company's papers, from lists of words: hundreds of different words, and the same ones in every run."""

from __future__ import annotations

import random

RUSSIAN = {
    "who": """отдел кадров|бухгалтерия|служба безопасности|начальник цеха|главный инженер|юридический отдел|комиссия|
        руководитель проекта|генеральный директор|складской оператор|служба поддержки|диспетчер смены|финансовый контролёр|
        секретарь собрания|ответственный исполнитель|учебный центр|заведующий хозяйством|архивариус|наставник|казначей|
        технический писатель|врач здравпункта|председатель профсоюза|аудитор|кладовщик|экономист|лаборант|эксплуатант""",
    "does": """проверяет|согласовывает|утверждает|хранит|передаёт|оформляет|регистрирует|оплачивает|уточняет|готовит|
        отклоняет|пересматривает|публикует|подписывает|учитывает|списывает|заказывает|сопровождает|анализирует|выдаёт|
        обновляет|сверяет|возвращает|фиксирует|распределяет|контролирует""",
    "what": """заявление на отпуск|договоры поставки|журнал учёта ключей|путевые листы|график дежурств|счета-фактуры|
        протокол совещания|инструкцию по охране труда|перечень оборудования|смету расходов|пропуска посетителей|
        акты приёмки|техническое задание|личные карточки сотрудников|план обучения|сертификаты качества|резервные копии|
        отчёт о командировке|накладные на сырьё|правила внутреннего распорядка|ведомость премий|чертежи насоса|
        образцы подписей|список материально ответственных лиц|показания счётчиков|карту рисков|реестр доверенностей""",
    "when": """до конца квартала|не позднее пятого числа|в течение трёх рабочих дней|каждую среду|после инвентаризации|
        перед началом отопительного сезона|по окончании испытательного срока|ежемесячно|в день обращения|сразу после сдачи
        объекта|накануне праздников|в присутствии двух свидетелей|с первого января|по требованию заказчика|раз в полугодие|
        за неделю до выезда|при смене поставщика|во вторую смену""",
    "why": """чтобы избежать простоев|если иное не указано в приказе|так как этого требует закон|и сообщает об этом
        директору|а копию направляет в архив|чтобы соблюсти сроки|и заносит сведения в общую базу|кроме случаев срочного
        ремонта|поскольку ущерб возмещает виновный|и уведомляет всех участников|чтобы подъезд оставался свободным|
        если сумма превышает лимит|и объясняет причину задержки|хотя бы одним письмом|чтобы ёмкость склада не снижалась""",
}
ENGLISH = {
    "who": """the payroll office|every shift supervisor|the security desk|a regional manager|the travel coordinator|
        our legal counsel|the warehouse team|an external auditor|the help desk|the project sponsor|a licensed electrician|
        the training department|the board secretary|the procurement group|a duty engineer|the data steward|the site nurse|
        the fleet controller|an approved vendor|the archive clerk""",
    "does": """reviews|approves|archives|forwards|registers|reimburses|clarifies|prepares|rejects|publishes|signs|counts|
        orders|supports|analyses|issues|updates|reconciles|returns|records|distributes|monitors""",
    "what": """vacation requests|supplier contracts|the visitor log|fuel receipts|the on-call schedule|quarterly invoices|
        meeting minutes|the safety manual|an equipment inventory|the expense budget|building passes|acceptance reports|
        technical drawings|employee records|the curriculum|quality certificates|backup tapes|the travel report|freight
        documents|the house rules|bonus statements|pump specifications|signature samples|meter readings|the risk map""",
    "when": """before the quarter ends|within three working days|every Wednesday|after the stocktaking|ahead of the winter
        season|once probation is over|monthly|on the day of the call|right after handover|on the eve of a holiday|in front
        of two witnesses|from the first of January|at the customer's request|twice a year|a week before departure|when the
        supplier changes|during the second shift""",
    "why": """to avoid downtime|unless an order says otherwise|because the statute requires it|and informs the director|
        while a copy goes to the archive|to keep the deadline|and enters the details into the database|except for urgent
        repairs|since damage is paid by whoever caused it|and notifies all participants|so that the driveway stays clear|
        if the amount exceeds the limit|and explains the delay|by letter at least|to protect the stock level""",
}
LISTS = {"ru": RUSSIAN, "en": ENGLISH}


class Writer:
    """Writes the same text for the same seed."""

    def __init__(self, lang: str, seed: str) -> None:
        self.lang = lang
        self._random = random.Random(f"{lang}-{seed}")
        self._lists = {
            part: [" ".join(words.split()) for words in text.split("|")] for part, text in LISTS[lang].items()
        }

    def sentence(self) -> str:
        pick = {part: self._random.choice(texts) for part, texts in self._lists.items()}
        comma = "," if self.lang == "ru" and not pick["why"].startswith(("и ", "кроме", "хотя")) else ""
        text = f"{pick['who']} {pick['does']} {pick['what']} {pick['when']}{comma} {pick['why']}."
        return text[0].upper() + text[1:]

    def paragraph(self, sentences: int = 4) -> str:
        return " ".join(self.sentence() for _ in range(sentences))

    def heading(self, number: int) -> str:
        what = self._random.choice(self._lists["what"])
        return f"{number}. {what[0].upper()}{what[1:]}"

    def rows(self, count: int) -> list[list[str]]:
        """A table: who, what, a number, a sum."""
        head = (
            ["Исполнитель", "Документ", "Штук", "Сумма"] if self.lang == "ru" else ["Owner", "Paper", "Units", "Total"]
        )
        rows = [head]
        for _ in range(count):
            units, total = self._random.randint(2, 98), self._random.randint(1000, 98_000)
            rows.append([self._choice("who"), self._choice("what"), str(units), f"{total / 100:.2f}"])
        return rows

    def _choice(self, part: str) -> str:
        """One that fits into a cell."""
        return self._random.choice([text for text in self._lists[part] if len(text) < 22])
