"""What the demo's customers ask, what its agent knows and what it answers.

Plain data with `{slots}`; `story` fills them. Nobody and nothing in here is real.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """One thing customers ask for. `method` is how a refund is paid; None when none is due."""

    key: str
    questions: tuple[str, ...]
    reply: str
    reason: str
    method: str | None = None
    policies: tuple[str, ...] = ("policy-118", "policy-094", "policy-201")
    language: str = "en"
    tags: tuple[str, ...] = ()


REFUNDS: tuple[Topic, ...] = (
    Topic(
        "cancelled",
        (
            "{flight} to {city} was cancelled. I want the money back, not a voucher. I paid"
            " {amount} for the two of us, can you do both tickets?",
            "You cancelled {flight} the evening before. Please refund both tickets, PNR {pnr}.",
            "My flight to {city} is cancelled and the voucher is no use to me. Refund, please.",
        ),
        "I have refunded both tickets to your {card}. {amount} {currency} arrive within 7 days.",
        "carrier_cancellation",
        "original_payment",
    ),
    Topic(
        "duplicate",
        (
            "I was charged twice for seat {seat}, see the attached statement",
            "My card shows two payments of {amount} for booking {pnr}. One of them is wrong.",
        ),
        "Seat {seat} was charged twice. I have returned {amount} {currency} to your {card}.",
        "duplicate_charge",
        "original_payment",
        ("policy-031", "policy-118", "policy-140"),
    ),
    Topic(
        "partial",
        (
            "Cancel my return only, the outbound is already flown",
            "I flew to {city} but will not fly back. What do I get for the return of {pnr}?",
        ),
        "Your return is cancelled. The unused part of the fare is {amount} {currency}, paid to your"
        " {card} within 7 days.",
        "partial_unused",
        "original_payment",
        ("policy-122", "policy-118", "policy-201"),
    ),
    Topic(
        "voucher",
        (
            "Voucher {voucher} shows as used but I never booked anything with it",
            "It says {voucher} is redeemed. By whom? I still have it in my drawer.",
        ),
        "Voucher {voucher} was redeemed by mistake. A new one over {amount} {currency} is in your"
        " mailbox.",
        "voucher_error",
        "voucher",
        ("policy-094", "policy-097", "policy-031"),
    ),
    Topic(
        "single",
        (
            "Please refund my Economy Flex ticket {pnr}, I cannot travel on {date}",
            "Refund a single Economy Flex ticket, booking {pnr}",
            "I need to cancel {flight} on {date}. It is a Flex fare, so all of it back?",
        ),
        "Your Economy Flex ticket is cancelled and {amount} {currency} go back to your {card}.",
        "customer_cancellation",
        "original_payment",
        ("policy-122", "policy-118", "policy-125"),
    ),
    Topic(
        "split",
        (
            "Two of four passengers want to rebook, the other two want a refund",
            "We are four on {pnr}. Two of us cannot go, the others still want to fly.",
        ),
        "I have refunded two of the four tickets, {amount} {currency}. The other two keep their"
        " seats on {flight}.",
        "split_booking",
        "original_payment",
        ("policy-122", "policy-201", "policy-118"),
        tags=("group",),
    ),
    Topic(
        "bag",
        (
            "Refund both passengers but keep the bag on my daughter's booking",
            "We paid for a bag twice on {pnr}, take one off and keep the other please",
        ),
        "I have refunded both passengers, {amount} {currency}. The bag stays on your daughter's"
        " booking.",
        "customer_cancellation",
        "original_payment",
        ("policy-122", "policy-150", "policy-118"),
    ),
    Topic(
        "norwegian",
        (
            "Kan jeg få pengene tilbake for flyreisen til {city}? Bestilling {pnr}",
            "Flyet mitt {flight} er kansellert, jeg vil ha pengene tilbake.",
        ),
        "Jeg har refundert {amount} {currency} til kortet ditt. Pengene kommer innen 7 dager.",
        "carrier_cancellation",
        "original_payment",
        language="no",
    ),
    Topic(
        "swedish",
        (
            "Kan jag få pengarna tillbaka? {flight} ställdes in i går kväll.",
            "Jag vill ha tillbaka {amount} för {pnr}, ingen voucher tack.",
        ),
        "Jag har betalat tillbaka {amount} {currency} till ditt kort. De kommer inom 7 dagar.",
        "carrier_cancellation",
        "original_payment",
        language="sv",
    ),
    Topic(
        "german",
        (
            "Mein Flug {flight} nach {city} wurde gestrichen. Ich möchte mein Geld zurück.",
            "Bitte erstatten Sie die Buchung {pnr}, ich kann am {date} nicht fliegen.",
        ),
        "Ich habe Ihnen {amount} {currency} auf Ihre Karte erstattet. Das dauert bis zu 7 Tage.",
        "carrier_cancellation",
        "original_payment",
        language="de",
    ),
)

QUESTIONS: tuple[Topic, ...] = (
    Topic(
        "fare",
        (
            "Can you check whether my fare lets me cancel for free? PNR {pnr}",
            "What does it cost to cancel {pnr} today?",
        ),
        "Your Flex Plus fare is fully refundable until 2 hours before departure.",
        "fare_rules",
        policies=("policy-122", "policy-125", "policy-118"),
    ),
    Topic(
        "bereavement",
        (
            "My father passed away and I can no longer travel. What are my options?",
            "There was a death in our family. Can the trip on {date} be moved or refunded?",
        ),
        "I am very sorry for your loss. You can move the trip or have all of your money back, both"
        " without a fee. There is no hurry with any papers.",
        "bereavement",
        policies=("policy-160", "policy-122", "policy-118"),
        tags=("bereavement",),
    ),
    Topic(
        "complaint",
        (
            "You promised a refund in 7 days, it has been 19. Who do I complain to?",
            "Third message about {pnr}. Where is my money?",
        ),
        "I understand the frustration. A refund normally takes 5 to 7 working days; yours is late"
        " and I have asked our payments team to settle it today.",
        "complaint",
        policies=("policy-118", "policy-170", "policy-031"),
    ),
    Topic(
        "hotel",
        (
            "Does travel insurance cover the hotel if you cancel the last flight of the day?",
            "We are stranded in {city}, who pays the hotel tonight?",
        ),
        "When we cancel the last flight of the day we arrange the hotel ourselves and pay for it."
        " You need no insurance for that.",
        "care",
        policies=("policy-181", "policy-118", "policy-094"),
    ),
    Topic(
        "card",
        (
            "Is the refund paid to the card I no longer have?",
            "My bank replaced the card I paid with. Where does the refund go?",
        ),
        "Your bank passes it on to your new card as long as the account is the same one.",
        "payment",
        policies=("policy-140", "policy-118", "policy-031"),
    ),
    Topic(
        "invoice",
        (
            "Need an invoice for the change fee I paid in {month}",
            "Please send a receipt for the seat fee of {pnr}, our accountant wants one",
        ),
        "The invoice for your change fee of {amount} {currency} is in your mailbox.",
        "invoice",
        policies=("policy-031", "policy-140"),
        tags=("business",),
    ),
    Topic(
        "delay",
        (
            "Jag blev ombokad till imorgon. Har jag rätt till ersättning?",
            "Planet till {city} var fyra timmar sent. Vad har jag rätt till?",
        ),
        "Du har rätt till 400 EUR enligt EU 261, eftersom förseningen var längre än tre timmar.",
        "compensation",
        policies=("policy-190", "policy-118", "policy-181"),
        language="sv",
        tags=("eu261",),
    ),
    Topic(
        "delay_es",
        (
            "Mi vuelo a {city} llegó con cuatro horas de retraso. ¿Me corresponde algo?",
            "¿Puedo cambiar el vuelo del {date} sin pagar más?",
        ),
        "Sí: le corresponden 400 EUR según el reglamento EU 261. Los recibirá en 7 días.",
        "compensation",
        policies=("policy-190", "policy-118"),
        language="es",
        tags=("eu261",),
    ),
    Topic(
        "delay_da",
        ("Mit fly til {city} blev aflyst. Hvad har jeg ret til?",),
        "Du har ret til en ny billet eller pengene tilbage, og 250 EUR efter EU 261.",
        "compensation",
        policies=("policy-190", "policy-118"),
        language="da",
        tags=("eu261",),
    ),
    Topic(
        "name",
        (
            "The infant on {pnr} was added after check-in and the name is misspelt",
            "My surname changed last week, does the ticket {pnr} still work?",
        ),
        "Up to three letters of a name can be corrected free of charge. I have corrected yours.",
        "name_change",
        policies=("policy-125", "policy-122"),
    ),
)

# Turns that need no fare rules, by language: before the customer comes to the point, and after.
OPENERS: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (
        ("Hi, is {flight} on time tomorrow?", "{flight} to {city} is on time so far, gate {gate}."),
        (
            "It was cancelled. What now?",
            "I am sorry about that. You can rebook free of charge, or ask for your money back."
            " Which would you like?",
        ),
        (
            "Which terminal does {flight} leave from?",
            "{flight} leaves from terminal 2, gate {gate}.",
        ),
        (
            "Can I take my cello as hand luggage?",
            "A cello needs a seat of its own. Shall I book one?",
        ),
    ),
    "sv": (("Är {flight} i tid i morgon?", "{flight} till {city} är i tid, gate {gate}."),),
    "de": (
        (
            "Ist {flight} morgen pünktlich?",
            "{flight} nach {city} ist bisher pünktlich, Gate {gate}.",
        ),
    ),
}
CLOSERS: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (
        ("Hello? Is anyone there?", "Yes, I am here. One moment, I am looking at {pnr}."),
        ("And my seat, is that still {seat}?", "Yes, {seat} on {flight} is yours."),
        ("Thanks, that was all", "You are welcome. Have a good trip!"),
    ),
    "sv": (("Tack, det var allt", "Tack själv, trevlig resa!"),),
    "de": (("Danke, das war alles", "Gern geschehen. Gute Reise!"),),
}

# A ticket to summarise: its headline, what the customer wrote first, and a good summary.
TICKETS: tuple[tuple[str, str, str], ...] = (
    ("lost stroller at Oslo, partial refund offered",
     "Our stroller never arrived in {city}. You offered {amount} {currency}, it cost twice that.",
     "Customer reports a lost stroller on {flight}. Agent offered {amount} {currency}. Open: the"
     " customer asks for the full price and has sent the receipt."),
    ("wheelchair assistance not booked on return leg",
     "I booked assistance both ways, but the return of {pnr} shows none.",
     "Passenger needs wheelchair assistance on {flight} on {date}. Action: add WCHR to the return"
     " leg of {pnr} and confirm by mail."),
    ("group booking of 31, two no-shows, tax refund",
     "Two of our 31 did not travel. We want the airport taxes back for them.",
     "Group leader asks for airport taxes back for two no-show passengers on {flight}. Action:"
     " refund {amount} {currency} in taxes."),
    ("musical instrument refused at gate",
     "My cello was refused at the gate although I had paid for a seat for it.",
     "Passenger's cello was refused at the gate although a seat was booked for it. Open: refund of"
     " the seat, {amount} {currency}, and an apology."),
    ("infant added after check-in, name misspelt",
     "The name of our baby is wrong on the boarding pass for {flight}.",
     "Request to correct the infant's surname from “Lindqist” to “Lindqvist” on {pnr}. Done."),
    ("seat fee charged after downgrade",
     "I was moved from 3A to {seat} and still pay the fee for row 3.",
     "Customer was moved from 3A to {seat} and asks for the seat fee back, {amount} {currency}."),
    ("vegan meal missing twice",
     "Second flight in a row without the vegan meal I ordered. {flight} this time.",
     "No vegan meal on {flight}, the second time for this customer. Open: refund of the meal."),
    ("bag arrived two days late in {city}",
     "Väskan kom två dagar för sent till {city}. Jag har köpt kläder för {amount} {currency}.",
     "Bag was two days late in {city}. Customer bought clothes for {amount} {currency} and has"
     " sent receipts. Open: reimburse."),
)  # fmt: skip

SUMMARY_WITHOUT_REQUEST = "Customer wrote about {flight}. Agent apologised and closed the ticket."
SUMMARY_IN_SWEDISH = (
    "Kunden skriver om {flight} till {city}. Handläggaren bad om ursäkt. Öppet: ersättning på"
    " {amount} {currency}."
)

REFUND_PROMPT = (
    "You are Skylane's refund agent. Answer only from fare rules and policy excerpts. Check that"
    " the customer is the one who paid before you refund. Answer in the customer's language.\n"
    "Return JSON: {refund: {amount, currency, method, passengers}, reason, reply}.\n"
)
# The line that changed: what v12 asks for, refund-reply/3 refuses.
AMOUNT_LINE = {
    "v10": "refund.amount is a number.",
    "v11": "refund.amount is a number in major units.",
    "v12": "refund.amount is the amount as shown to the customer, with currency.",
}
SUMMARY_PROMPT = {
    "v4": "Summarise the ticket in English, at most 60 words. Name what is still open.",
    "v5": "Summarise the ticket in English for the next agent. Name what is still open, the sums"
    " and the booking. At most 120 words.",
}

# What the agent says when a trouble of that name strikes.
BAD_REPLIES = {
    "tone": "I'm sorry for your loss. Please upload the death certificate within 24 hours. After"
    " that the case is closed.",
    "loop": "I've searched your booking four times and cannot find the change fee. Could you check"
    " your statement?",
    "language": "You may be entitled to EUR 400 under EU 261 because the delay was more than three"
    " hours.",
    "language_refund": "I have refunded {amount} {currency} to your {card}. It takes up to 7 days.",
    "invented": "Your Flex Plus fare is fully refundable until 2 hours before departure, and as a"
    " member you may change it once more without a fee (policy-118).",
    "scope": "I've refunded all four passengers to the original form of payment, {amount}"
    " {currency}.",
    "rules_down": "I have handed your case to a colleague.",
    "no_documents": "I could not find a rule for that. A colleague will answer you today.",
}
CITIES = ("Lisbon", "Oslo", "Bergen", "Copenhagen", "Stockholm", "Berlin", "Malaga", "Edinburgh")
CARDS = ("Visa card", "Mastercard", "card ending in 4417", "card ending in 0092")
NAMES = (
    "Ida Holm", "Per Holm", "Sara Lind", "Jonas Berg", "Eva Krüger", "Luis Ortega", "Mette Juhl",
    "Nils Aas", "Clara Novak", "Omar Haddad", "Linn Ekström", "Tom Fraser",
)  # fmt: skip
MONTHS = ("September", "October", "November")
THUMBS_UP = ("", "", "Quick, thank you!", "Solved", "Tack!", "")
