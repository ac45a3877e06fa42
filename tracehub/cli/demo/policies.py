"""The airline's handbook: what the demo's retriever finds, by document id (title, text)."""

from __future__ import annotations

POLICIES: dict[str, tuple[str, str]] = {
    "policy-031": (
        "Payments and receipts, §3.1",
        "A payment that was taken twice is returned to the original form of payment at once."
        " Receipts are sent by mail for every fee.",
    ),
    "policy-094": (
        "Vouchers and goodwill, §2.1",
        "A voucher may be offered instead of a refund. The passenger must accept in writing. A"
        " voucher is never a substitute for money that is owed.",
    ),
    "policy-097": (
        "Vouchers, redemption errors, §2.4",
        "A voucher that was redeemed by mistake is issued again over the same value, in the"
        " currency of the first one.",
    ),
    "policy-118": (
        "Refunds when we cancel a flight, §4.2",
        "Refund in full to the original form of payment within 7 days if the passenger declines a"
        " voucher and another flight.",
    ),
    "policy-122": (
        "Refunds on request, §4.6",
        "Flex fares are refunded in full until 2 hours before departure, Light fares only the"
        " taxes. An unused return is worth its share of the fare.",
    ),
    "policy-125": (
        "Changes of name and date, §4.9",
        "Up to three letters of a name may be corrected free of charge. A change of date costs the"
        " difference in fare.",
    ),
    "policy-140": (
        "Replaced cards, §3.6",
        "A refund to a closed card is passed on by the bank. Without an account it is paid by"
        " transfer after an identity check.",
    ),
    "policy-150": (
        "Bags on split bookings, §6.2",
        "A bag belongs to the passenger it was bought for and stays with that booking.",
    ),
    "policy-160": (
        "Bereavement, §9.1",
        "Offer a refund or a change without a fee. Ask for documents only after the journey was"
        " cancelled, and give at least 30 days.",
    ),
    "policy-170": (
        "Complaints, §10.2",
        "Name the complaints office and the time it takes. Never promise a date that payments has"
        " not confirmed.",
    ),
    "policy-181": (
        "Care when the last flight is cancelled, §8.3",
        "We book and pay a hotel and the way to it. The passenger's insurance is not involved.",
    ),
    "policy-190": (
        "Compensation under EU 261, §8.1",
        "250, 400 or 600 EUR by distance when arrival is 3 hours late or more, unless the cause is"
        " extraordinary.",
    ),
    "policy-201": (
        "Group bookings, §7.4",
        "For groups of ten or more, refunds go to the group organiser unless each passenger paid"
        " alone.",
    ),
}
