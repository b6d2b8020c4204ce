"""What the demos ask: a few questions, and what a made-up model has answered, some of it wrongly."""

from typing import Final

ROWS: Final = [
    {"question": question, "answer": answer, "topic": topic, "said": f"It is {said or answer}."}
    for question, answer, topic, said in (
        ("What is the capital of France?", "Paris", "geography", None),
        ("What is the capital of Australia?", "Canberra", "geography", "Sydney"),
        ("Which river flows through Vienna?", "Danube", "geography", None),
        ("What is 17 + 25?", "42", "arithmetic", None),
        ("What is 9 * 9?", "81", "arithmetic", None),
        ("What is 144 / 12?", "12", "arithmetic", "14"),
        ("Who wrote 'Faust'?", "Goethe", "literature", None),
        ("Who wrote 'Hamlet'?", "Shakespeare", "literature", None),
    )
]
"""The questions with what is right, and what was `said`."""
