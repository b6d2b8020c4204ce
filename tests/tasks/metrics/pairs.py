"""Pairs of texts on which a metric is held against its reference implementation: the same in every run."""

import random

VOCABULARY = (
    "the a an cat cats sat sitting on mats mat running ran runs happily happiness generalization relational "
    "flies dying 3.14 1,000 U.S. don't O'Neil state-of-the-art e-mail (well) \"quoted\" &amp; &lt;b&gt; 50% x_1 "
    "Café naïve Straße ΑΒΓ привет мир 你好 世界 今日は 안녕 مرحبا بالعالم שלום 😀 👩‍👩‍👧 🇩🇪 e\u0301 \u200f İstanbul ﬁn"
)
WORDS = VOCABULARY.split()
EDGES = [
    "",
    " ",
    "\n",
    ".",
    "the",
    "a an the",
    "😀",
    "你好世界",
    "مرحبا",
    "\u202bשלום\u202c",
    "x" * 500,
    "yyyy",
    "-\n",
    "0",
]


def pairs(count: int = 1000) -> list[tuple[str, str]]:
    """Return pairs from equal to unrelated, those of edge cases first."""
    generator = random.Random(20260322)
    found = [(left, right) for left in EDGES for right in EDGES]
    while len(found) < count:
        left = [generator.choice(WORDS) for _ in range(generator.randint(0, 25))]
        right = [
            generator.choice(WORDS) if generator.random() < 0.3 else word for word in left if generator.random() < 0.9
        ]
        if generator.random() < 0.2:
            generator.shuffle(right)
        found.append((_joined(generator, left), _joined(generator, right)))
    return found


def _joined(generator: random.Random, words: list[str]) -> str:
    return "".join(word + generator.choice([" ", " ", " ", "  ", "\n", ", ", ". "]) for word in words)
