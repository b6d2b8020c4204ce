"""How like two sequences are, by the matching blocks of Ratcliff and Obershelp (1988)."""


class SequenceMatcher:
    """Compares sequences; of `b` an index is kept, in which popular elements are left out if `autojunk`."""

    def __init__(self, isjunk=None, a="", b="", autojunk=True):
        self.isjunk = isjunk
        self.autojunk = autojunk
        self.set_seqs(a, b)

    def set_seqs(self, a, b):
        self.set_seq1(a)
        self.set_seq2(b)

    def set_seq1(self, a):
        self.a = a

    def set_seq2(self, b):
        self.b = b
        places = {}
        for place, element in enumerate(b):
            places.setdefault(element, []).append(place)
        self.junk = [element for element in places if self.isjunk and self.isjunk(element)]
        often = len(b) // 100 + 1 if self.autojunk and len(b) >= 200 else len(b)
        self.places = {
            element: where for element, where in places.items() if element not in self.junk and len(where) <= often
        }

    def find_longest_match(self, alo=0, ahi=None, blo=0, bhi=None):
        ahi = len(self.a) if ahi is None else ahi
        bhi = len(self.b) if bhi is None else bhi
        start_a, start_b, size = alo, blo, 0
        lengths = {}
        for i in range(alo, ahi):
            longer = {}
            for j in self.places.get(self.a[i], []):
                if blo <= j < bhi:
                    length = lengths.get(j - 1, 0) + 1
                    longer[j] = length
                    if length > size:
                        start_a, start_b, size = i - length + 1, j - length + 1, length
            lengths = longer
        for junk in (False, True):  # what is not in the index may go on with a match, but begins none
            while start_a > alo and start_b > blo and self._goes_on(start_a - 1, start_b - 1, junk):
                start_a, start_b, size = start_a - 1, start_b - 1, size + 1
            while start_a + size < ahi and start_b + size < bhi and self._goes_on(start_a + size, start_b + size, junk):
                size += 1
        return (start_a, start_b, size)

    def _goes_on(self, i, j, junk):
        return self.a[i] == self.b[j] and (self.b[j] in self.junk) == junk

    def get_matching_blocks(self):
        found = []
        pending = [(0, len(self.a), 0, len(self.b))]
        while pending:
            alo, ahi, blo, bhi = pending.pop()
            i, j, size = self.find_longest_match(alo, ahi, blo, bhi)
            if size:
                found.append((i, j, size))
                if alo < i and blo < j:
                    pending.append((alo, i, blo, j))
                if i + size < ahi and j + size < bhi:
                    pending.append((i + size, ahi, j + size, bhi))
        found.sort()
        blocks = []
        for i, j, size in found:
            if blocks and blocks[-1][0] + blocks[-1][2] == i and blocks[-1][1] + blocks[-1][2] == j:
                blocks[-1] = (blocks[-1][0], blocks[-1][1], blocks[-1][2] + size)
            else:
                blocks.append((i, j, size))
        return blocks + [(len(self.a), len(self.b), 0)]

    def get_opcodes(self):
        opcodes = []
        i = j = 0
        for start_a, start_b, size in self.get_matching_blocks():
            tag = "replace" if i < start_a and j < start_b else "delete" if i < start_a else "insert"
            if i < start_a or j < start_b:
                opcodes.append((tag, i, start_a, j, start_b))
            i, j = start_a + size, start_b + size
            if size:
                opcodes.append(("equal", start_a, i, start_b, j))
        return opcodes

    def _ratio(self, matches):
        length = len(self.a) + len(self.b)
        return 2.0 * matches / length if length else 1.0

    def ratio(self):
        return self._ratio(sum([size for _, _, size in self.get_matching_blocks()]))

    def quick_ratio(self):
        left = {}
        for element in self.b:
            left[element] = left.get(element, 0) + 1
        matches = 0
        for element in self.a:
            if left.get(element, 0) > 0:
                left[element] -= 1
                matches += 1
        return self._ratio(matches)

    def real_quick_ratio(self):
        return self._ratio(min(len(self.a), len(self.b)))


def get_close_matches(word, possibilities, n=3, cutoff=0.6):
    """Return the `n` texts most like a word, the best first, of those at least as like as `cutoff`."""
    if n <= 0:
        raise ValueError("n must be > 0")
    if not 0.0 <= cutoff <= 1.0:
        raise ValueError("cutoff must be in [0.0, 1.0]")
    found = []
    matcher = SequenceMatcher(None, "", word)
    for possibility in possibilities:
        matcher.set_seq1(possibility)
        ratio = matcher.ratio()
        if ratio >= cutoff:
            found.append((ratio, possibility))
    found.sort(reverse=True)
    return [possibility for _, possibility in found[:n]]
