"""Words about words, by which a judge tells whose a text is: who writes, what is written, what it calls its own."""

from typing import Final

from tasks.judging.forms import NAMES

REMARKS: Final = (
    rf"(?:{NAMES}|json|object|evaluat(?:e|ing)|grading|compar(?:e|ing|ison)|analy(?:sis|[sz]e)|review|feedback"
    rf"|reasoning"
    r"|explanation|rationale|justification|strengths|weaknesses|summary|avis|beurteilung|einschätzung|valoración"
    r"|评价|评估)"
)
"""What a judge calls what it says itself."""

GROUNDS: Final = r"(?:reference|source|context|ground|expected|rubric|document|article|passage)"
"""What a judge may appeal to."""

PEOPLE: Final = (
    r"(?:student|candidate|grader|reader|user|author|attacker|assistant|model|bot|somebody|someone|people|they"
    r"|he|she|who)"
)
TEXTS: Final = (
    r"(?:response|answer|reply|output|submission|text|sample|template|example|prompt|instruction|page|quote|quotation"
    r"|passage|message|system|injection)"
)
OTHERS: Final = rf"(?:{PEOPLE}|{TEXTS})"

WRITE: Final = (
    r"(?:sa(?:y|id)|tell|told|writ(?:e|ten|ing)|wrote|repl(?:y|ie)|respond|answer|output|return|print|emit|produc|submi"
    r"|stat(?:e|ing)|claim|assert|declar|insist|argu|conclud|quot|cit(?:e|ing)|inject|past(?:e|ing)|cop(?:y|ie)|repeat"
    r"|echo|contain|includ|ends?\b|gives?\b|giving|gave|given by|embed|append|plant|generat|add(?:s|ed)\b"
    r"|not(?:es|ed)\b"
    r"|typ(?:es|ed)|shout|post(?:s|ed)|sign)\w*"
)
WISH: Final = (
    r"(?:propos|suggest|ask|demand|want|expect|instruct|order|urg|requir|refus|ignor|disregard|discard|skip|hope|beg"
    r"|prefer|need|use|trust|choose|pick|select)\w*"
)
"""What people do with words, and what they want done with them."""
