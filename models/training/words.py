"""An open English vocabulary out of WordNet 3.0 and prose out of the Jargon File (Debian packages wordnet-base, dict-jargon).

WordNet gives nouns by kind (food, animal, artifact, …), transitive verbs with their forms, adjectives, synonyms, and some
hundred thousand short definitions and example sentences; the Jargon File gives connected paragraphs. Both are read from where
Debian installs them.
"""
import gzip
import re
from collections import defaultdict
from pathlib import Path

WORDNET = Path("/usr/share/wordnet")
JARGON = Path("/usr/share/dictd/jargon.dict.dz")

NOUN_KINDS = {
    "5": "animal", "6": "thing", "7": "quality", "4": "activity", "9": "idea", "10": "message", "11": "event", "13": "food",
    "14": "group", "15": "place", "17": "nature", "18": "person", "20": "plant", "21": "asset", "26": "state", "27": "substance",
}
TRANSITIVE_FRAMES = {"8", "9", "10", "11"}
# Words nobody wants to find in a sample.
UNWANTED = re.compile(
    r"sex|rape|penis|vagin|fuck|shit|nigg|whore|slut|nazi|copulat|genital|prostitut|masturbat|intercourse|excrement|feces|urin|"
    r"semen|lesbian|homosex|jew|negro|slave|incest|breast|nude|erotic|suicid|terroris|murder|\b(pussy|cunt|bitch|cock|dick|tits?|arse|ass|bastard|fag|faggot|crap|piss|anus|anal)s?\b", re.I)

STOP_WORDS = set("""a an the of to in on at for from by with and or but if then than as is are was were be been being am do does did
done has have had having it its they them their he she his her him you your i my me we our us who whom whose what which when where why
how much many long far often this that these those there here not no so such can could may might must shall should will would about
into onto over under after before between during up down out off all any some each every more most only also very just one please tell
say said document documents know want need find give get got let text passage anything something""".split())


class WordNet:
    """Words by kind, with common words apart from the rest, and definitions and example sentences as free text."""

    def __init__(self):
        counts = defaultdict(int)
        for line in (WORDNET / "cntlist.rev").open():
            key, _, count = line.split()
            lemma, sense = key.split("%")
            counts[lemma, sense[0]] += int(count)
        self.nouns = defaultdict(list)          # kind -> words
        self.common_nouns = defaultdict(list)   # kind -> words that occur in WordNet's tagged texts
        self.verbs, self.common_verbs = [], []
        self.adjectives, self.common_adjectives = [], []
        self.synonyms = defaultdict(set)
        self.lemmas = defaultdict(set)          # "noun", "verb", "adj", "adv" -> every word of that kind
        self.definitions = []                   # (part of speech, term, definition)
        self.examples = []                      # example sentences
        for part, number in (("noun", "1"), ("verb", "2"), ("adj", "3"), ("adv", "4")):
            for line in (WORDNET / f"data.{part}").open(encoding="latin-1"):
                if line.startswith("  "):
                    continue
                self._add_synset(part, number, line, counts)
        self.past, self.participle = self._verb_forms()
        self.plural = dict(reversed(line.split()[:2]) for line in (WORDNET / "noun.exc").open() if "_" not in line)
        for table in (self.nouns, self.common_nouns):
            for kind in table:
                table[kind] = sorted(set(table[kind]))
        for name in ("verbs", "common_verbs", "adjectives", "common_adjectives"):
            setattr(self, name, sorted(set(getattr(self, name))))
        self.synonyms = {word: sorted(others) for word, others in self.synonyms.items()}

    def _add_synset(self, part, number, line, counts):
        data, _, gloss = line.partition(" | ")
        fields = data.split()
        lemmas = [re.sub(r"\(.*\)", "", fields[4 + 2 * i]) for i in range(int(fields[3], 16))]
        if UNWANTED.search(line):
            return
        plain = [lemma for lemma in lemmas if re.fullmatch(r"[a-z]{3,13}", lemma)]
        self.lemmas[part].update(plain)
        common = [lemma for lemma in plain if counts[lemma, number] > 1]
        if len(common) > 1 and part in ("noun", "verb", "adj"):
            for lemma in common:
                self.synonyms[lemma].update(set(common) - {lemma})
        if part == "noun" and (kind := NOUN_KINDS.get(str(int(fields[1])))):
            self.nouns[kind] += plain
            self.common_nouns[kind] += [lemma for lemma in lemmas[:1] if lemma in common and counts[lemma, number] > 1]
        elif part == "verb":
            frames = set(re.findall(r"\+ (\d+) 00", data))
            frames = {str(int(frame)) for frame in frames}
            if frames & TRANSITIVE_FRAMES:
                self.verbs += plain
                self.common_verbs += common
        elif part == "adj" and not data.split()[4].endswith(")"):
            self.adjectives += plain
            self.common_adjectives += common
        definition = re.split(r'; *"', gloss.strip())[0].strip()
        definition = re.sub(r"\([^)]*\) *", "", definition).strip("; ")
        if part in ("noun", "verb", "adj") and 15 < len(definition) < 160 and '"' not in definition:
            self.definitions.append((part, lemmas[0].replace("_", " "), definition))
        for example in re.findall(r'"([^"]{18,160})"', gloss):
            if example.count(" ") > 3:
                self.examples.append(example[0].upper() + example[1:].rstrip(".") + ("" if example[-1] in "?!" else "."))

    def forms(self, word):
        """Other forms of an English word, by what it can be: "plants", "planted", "planting" for "plant". Empty for names and unknown words."""
        forms = set()
        for base in self._bases(word):
            if base in self.lemmas["noun"]:
                forms.update((base, self.plural.get(base, regular_plural(base))))
            if base in self.lemmas["verb"]:
                forms.update((base, third_person(base), gerund(base), self.past.get(base, regular_past(base))))
        return sorted(form for form in forms - {word} if not UNWANTED.search(form))

    def _bases(self, word):
        """The words of WordNet of which `word` may be a form."""
        bases = [word]
        for suffix, endings in (("ies", ["y"]), ("es", ["", "e"]), ("s", [""]), ("ied", ["y"]), ("ed", ["", "e"]), ("ing", ["", "e"])):
            if word.endswith(suffix) and len(word) - len(suffix) >= 3:
                root = word[: -len(suffix)]
                bases += [root + ending for ending in endings] + [root[:-1]] * (root[-1] == root[-2])
        return [base for base in bases if base in self.lemmas["noun"] or base in self.lemmas["verb"]]

    def _verb_forms(self):
        irregular = defaultdict(list)
        for line in (WORDNET / "verb.exc").open():
            inflected, base = line.split()[:2]
            if not inflected.endswith("ing") and not (inflected.endswith("s") and not inflected.endswith("ss")):
                irregular[base].append(inflected)
        past, participle = {}, {}
        for base, forms in irregular.items():
            n_forms = [form for form in forms if form.endswith("n") or form in ("done", "gone", "sung", "begun")]
            other = [form for form in forms if form not in n_forms]
            past[base] = (other or forms)[0]
            participle[base] = (n_forms or other)[0]
        return past, participle


def regular_past(verb):
    if verb.endswith("e"):
        return verb + "d"
    if re.search(r"[^aeiou]y$", verb):
        return verb[:-1] + "ied"
    if re.fullmatch(r"[^aeiou]*[aeiou][bdgklmnprt]", verb):
        return verb + verb[-1] + "ed"
    return verb + "ed"


def gerund(verb):
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith("ee"):
        return verb[:-1] + "ing"
    if re.fullmatch(r"[^aeiou]*[aeiou][bdgklmnprt]", verb):
        return verb + verb[-1] + "ing"
    return verb + "ing"


def third_person(verb):
    if re.search(r"(s|x|z|ch|sh|o)$", verb):
        return verb + "es"
    if re.search(r"[^aeiou]y$", verb):
        return verb[:-1] + "ies"
    return verb + "s"


def regular_plural(noun):
    if re.search(r"(s|x|z|ch|sh)$", noun):
        return noun + "es"
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + "s"


def article(phrase):
    return "an" if phrase[0].lower() in "aeio" else "a"


def jargon_paragraphs():
    """Paragraphs of the Jargon File (public domain) as lists of sentences."""
    text = gzip.open(JARGON).read().decode("utf-8", "replace")
    paragraphs = []
    for block in re.split(r"\n\s*\n", text):
        if not block.startswith("    ") or UNWANTED.search(block):
            continue
        flat = re.sub(r"[{}]", "", " ".join(block.split())).replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"')
        if "[" in flat or not flat.isascii():
            continue
        sentences = re.split(r"(?<=[.!?]) (?=[A-Z])", flat)
        sentences = [s for s in sentences if 25 < len(s) < 240 and s[0].isupper() and s[-1] in ".!?"]
        if len(sentences) >= 2:
            paragraphs.append(sentences)
    return paragraphs


def stem(word):
    """A crude stem: enough to see that "planted", "planting" and "plants" belong together."""
    word = word.lower()
    for suffix in ("ings", "ing", "ied", "ies", "ed", "es", "ers", "er", "ly", "s", "e", "y"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)]
            break
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return word


WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?|\d+(?:[.,:]\d+)*")


def content_stems(text):
    """Stems of the words of `text` that carry meaning."""
    return [stem(word) for word in WORD.findall(text) if word.lower() not in STOP_WORDS]
