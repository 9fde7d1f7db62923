"""Documents about anything: invented facts over WordNet's vocabulary, free prose, lists, tables, logs and code-like lines.

A document is a list of *units*: the pieces an answer may quote whole (a sentence, a list item, a line of a table). A unit carries
the questions it answers. Questions come from three places: the frame that made the sentence; the grammar of an invented
subject-verb-object sentence; or, for any unit whatever, words taken out of it (`questions_from_words`).
"""
import re

from documents import Document, Unit, whole_questions
from helpcentre import Invention
from words import STOP_WORDS, WORD, WordNet, article, gerund, jargon_paragraphs, regular_past, regular_plural, third_person


# What people ask when a single word of the text is on their mind.
KEYWORD_QUESTIONS = ["What about {}?", "What about the {}?", "Tell me about {}.", "{}", "{}?", "What is said about {}?", "Why {}?", "Which {}?"]
NOUN_QUESTIONS = ["When is {}?", "When is the {}?", "Where is the {}?", "Is {} allowed?", "Are {} allowed?", "Can I use the {}?", "Until when may I use a {}?", "How does the {} work?", "Do I need {}?", "Is there a {}?",
                  "Are there any {}?", "How many {} are there?", "How much {} do I need?", "Who is the {}?", "What is the {}?", "What does the {} do?", "What will {} do?", "What happened to the {}?", "How long is the {}?",
                  "Is the {} included?", "Where do I find the {}?", "Is {} possible?", "What did {} say?", "How is the {} made?", "What should I know about the {}?"]
VERB_QUESTIONS = ["May I {}?", "Can I {}?", "Do I have to {}?", "How often should I {} it?", "How do I {} it?", "Does it {}?", "When does it {}?", "Where do they {}?", "What should I {}?", "Who can {} it?"]

# Frames: "sentence / sentence || question / question". {S} is the subject in a sentence (its name or a pronoun), {s} in a question; other
# slots are drawn once per use, so {money} is the same amount in the sentence and in its questions. A kind of subject in front.
FRAMES = """
any: {S} costs {money}. / The price of {s} is {money}. / You pay {money} for {s}. / {S} sells for {money}. || How much does {s} cost? / What is the price of {s}? / What do I pay for {s}? / How expensive is {s}? / How much is {s}?
any: {S} weighs {weight}. / The weight of {s} is {weight}. || How heavy is {s}? / What does {s} weigh? / How much does {s} weigh? / What is the weight of {s}?
any: {S} is {length} long. / {S} measures {length} from end to end. / The length of {s} is {length}. || How long is {s}? / What is the length of {s}?
any: {S} is {length} high. / {S} stands {length} tall. / {S} reaches a height of {length}. || How tall is {s}? / How high is {s}? / What is the height of {s}?
any: {S} is {length} wide. / The width of {s} is {length}. || How wide is {s}? / What is the width of {s}?
any: {S} is found in {place}. / {S} stands in {place}. / {S} is kept in {place}. / {S} is located near {place}. / You will find {s} behind {place}. || Where is {s}? / Where can I find {s}? / Where is {s} located? / In which place is {s}?
any: {S} comes from {town}. / {S} was brought from {town} in {year}. / {S} originates in {town}. || Where does {s} come from? / What is the origin of {s}?
any: {S} was made in {year}. / {S} dates from {year}. / {S} has existed since {year}. / {S} goes back to {year}. || How old is {s}? / When was {s} made? / From which year is {s}? / Since when does {s} exist?
any: {S} was discovered by {person} in {year}. / {Person} discovered {s} in {year}. / In {year}, {person} found {s}. || Who discovered {s}? / When was {s} discovered? / Who found {s}?
any: {S} was invented by {person}. / {Person} invented {s} in {year}. / The inventor of {s} is {person}. || Who invented {s}? / Who is the inventor of {s}? / Who came up with {s}?
any: {S} was built by {person} in {year}. / {Person} built {s} between {year} and {year2}. / The builder of {s} was {person}. || Who built {s}? / When was {s} built? / Who was the builder of {s}?
any: {S} belongs to {person}. / The owner of {s} is {person}. / {Person} owns {s}. / {Person} has owned {s} since {year}. || Who owns {s}? / Whose is {s}? / Who is the owner of {s}? / To whom does {s} belong?
any: {S} is named after {person}. / {S} got its name from {person}. / {S} takes its name from a {noun} in {town}. || Why is {s} called that? / Where does the name of {s} come from? / After whom is {s} named?
any: {S} is {colour}. / The colour of {s} is {colour}. / {S} is painted {colour} and {colour2}. / {S} has a {colour} {noun}. || What colour is {s}? / What is the colour of {s}? / Which colour does {s} have?
any: {S} is made of {substance} and {substance2}. / {S} consists of {substance}. / {S} is made from {substance}, {substance2} and {substance3}. || What is {s} made of? / What does {s} consist of? / Which material is {s} made from?
any: {S} contains {num} {things} and {num2} {things2}. / There are {num} {things} in {s}. / {S} has {num} {things}. || How many {things} does {s} have? / How many {things} are there in {s}?
any: {S} is used for {verbing} {things}. / {S} is used to {verb} {things}. / People use {s} to {verb} the {noun}. / {S} serves to {verb} {things}. || What is {s} used for? / What is {s} for? / What is the purpose of {s}? / What do people use {s} for?
any: {S} lasts {dur}. / {S} takes about {dur}. / {S} is over after {dur}. / {S} goes on for {dur}. || How long does {s} last? / How long does {s} take? / What is the duration of {s}? / How much time does {s} need?
any: {S} starts at {clock}. / {S} begins on {date}. / {S} starts on {date} at {clock}. / {S} opens at {clock}. || When does {s} start? / When does {s} begin? / At what time does {s} start? / When does {s} open?
any: {S} ends at {clock}. / {S} ends on {date}. / {S} closes at {clock}. / {S} finishes on {date}. || When does {s} end? / When does {s} close? / When is {s} over? / At what time does {s} finish?
any: {S} must be {verbed} every {dur}. / {S} has to be {verbed} after {dur}. / {S} should be {verbed} once every {dur}. || How often must {s} be {verbed}? / How often should I {verb} {s}? / When must {s} be {verbed}?
any: Never {verb} {s} near {place}. / Do not {verb} {s} before {date}. / {S} must not be {verbed} by {people}. / It is forbidden to {verb} {s}. || May I {verb} {s}? / Can I {verb} {s}? / Is it allowed to {verb} {s}? / What must I not do with {s}?
any: {S} was {verbed} because {clause}. / {S} is {adj} because {clause}. / Because {clause}, {s} was {verbed}. || Why was {s} {verbed}? / Why is {s} {adj}? / What is the reason for {s}?
any: If {s} is {adj}, {verb} the {noun} and call {person}. / If {s} becomes {adj}, {verb} it with {substance}. / When {s} gets {adj}, {verb} the {noun}. || What should I do if {s} is {adj}? / What do I do when {s} is {adj}? / What happens if {s} is {adj}?
any: {S} is {adj} and {adj2}. / {S} is known as {adj}, even {adj2}. / Most {people} call {s} {adj}. || What is {s} like? / How is {s} described? / Is {s} {adj}?
any: {S} needs {num} {things}. / {S} requires {substance} and a {noun}. / For {s} you need a {adj} {noun}. || What does {s} need? / What do I need for {s}? / What is required for {s}?
any: {S} produces {num} {things} per {period}. / {S} makes {substance} out of {substance2}. / {S} yields {weight} of {substance} per {period}. || What does {s} produce? / How much does {s} produce? / What does {s} make?
any: {S} works best at {temp}. / The temperature of {s} must not exceed {temp}. / {S} is stored at {temp}. || At what temperature does {s} work? / How warm may {s} get? / How should {s} be stored? / Which temperature is right for {s}?
any: {S} moves at {speed}. / The top speed of {s} is {speed}. / {S} reaches {speed}. || How fast is {s}? / What is the speed of {s}? / What speed does {s} reach?
any: {S} is larger than {np} but smaller than {np2}. / {S} is as big as {np}. / {S} covers an area of {area}. || How big is {s}? / What is the size of {s}? / How large is {s}?
any: {S} was sold to {person} for {money}. / {Person} bought {s} on {date}. / In {year} {person} bought {s} from {person2}. || Who bought {s}? / To whom was {s} sold? / When was {s} sold?
any: {S} was damaged by {substance} in {month}. / A {noun} damaged {s} on {date}. / {S} broke when {clause}. || What damaged {s}? / How was {s} damaged? / What happened to {s}?
any: {S} is dangerous for {people}. / {S} can harm {things} and {things2}. / {Person} warned that {s} is dangerous. || Is {s} dangerous? / For whom is {s} dangerous? / What are the dangers of {s}?
any: {S} is famous for its {things}. / {S} is known for {things} and {things2}. / {S} became famous when {clause}. || What is {s} known for? / Why is {s} famous? / What is {s} famous for?
any: {S} is also called {name}. / Another name for {s} is {name}. / In {town}, {s} is called {name}. || What is another name for {s}? / What else is {s} called? / What is {s} called in {town}?
any: {S} has the number {code}. / The code of {s} is {code}. / {S} is registered as {code}. || What is the number of {s}? / What is the code of {s}? / How is {s} registered?
any: {S} replaced {np} in {year}. / {S} took the place of {np}. || What did {s} replace? / What was there before {s}? / When was {s} introduced?
any: {S} differs from {np} in its {noun}. / Unlike {np}, {s} is {adj}. / The difference between {s} and {np} is the {noun}. || How does {s} differ from {np}? / What is the difference between {s} and {np}? / What distinguishes {s} from {np}?
any: There are {num} kinds of {noun}: {adj}, {adj2} and {adj3}. / {Things} come in {num} kinds, {adj} and {adj2}. || How many kinds of {noun} are there? / Which kinds of {noun} exist? / What types of {things} are there?
any: The first step is to {verb} the {noun}. / Start by {verbing} the {noun} with {substance}. / First {verb} the {noun}. || What is the first step? / How do I start? / What do I do first? / What comes first?
any: Finally, {verb} the {noun} and let it rest for {dur}. / The last step is to {verb} the {noun}. / At the end, {verb} the {things}. || What is the last step? / What do I do at the end? / What comes last?
any: To {verb} {s}, {verb2} the {adj} {noun} first. / {S} can be {verbed} by {verbing2} the {noun}. / You can {verb} {s} with a {noun}. || How do I {verb} {s}? / How can {s} be {verbed}? / How can I {verb} {s}? / What is the way to {verb} {s}?
any: {Num} people work on {s}. / {S} employs {num} {people}. / {S} has a staff of {num}. || How many people work on {s}? / How many employees does {s} have? / How big is the staff of {s}?
any: {Person} is responsible for {s}. / {S} is led by {person}. / {Person} has been in charge of {s} since {year}. || Who is responsible for {s}? / Who leads {s}? / Who is in charge of {s}? / Who runs {s}?
any: {S} won {num} to {num2} against {np}. / {S} lost against {np} on {date}. / {S} beat {np} by {num} points. || How did {s} play? / Against whom did {s} win? / What was the result of {s}? / What was the score?
any: The deadline for {s} is {date}. / {S} must be handed in by {date}. / {S} is due on {date}. || When is {s} due? / What is the deadline for {s}? / By when must {s} be handed in?
any: Only {people} may {verb} {s}. / {S} is open to {people} older than {num}. / {S} may be used by {people} and {people2}. || Who may {verb} {s}? / Who can use {s}? / Who is allowed to {verb} {s}?
any: {S} was written by {person}. / {Person} wrote {s} in {year}. / The author of {s} is {person}. || Who wrote {s}? / Who is the author of {s}? / When was {s} written?
any: {S} eats {things} and {things2}. / {S} feeds on {things}. / {S} lives on {substance} and {things}. || What does {s} eat? / What does {s} feed on? / What is the food of {s}?
any: {S} lives in {place}. / {S} spends the winter in {town}. / {S} is at home in {place} and {place2}. || Where does {s} live? / Where does {s} spend the winter? / Where is {s} at home?
any: {S} should be planted in {month}. / Plant {s} in {month}, {length} apart. / {S} is sown in {month} and harvested in {month2}. || When should {s} be planted? / When do I plant {s}? / When is {s} sown? / When is {s} harvested?
any: {Pct} of {people} {verb} {s}. / About {pct} of all {people} have {s}. / According to {person}, {pct} of {people} know {s}. || How many people {verb} {s}? / How common is {s}? / What share of {people} have {s}?
any: {S} grew by {pct} in {year}. / {S} fell to {money} in {month}. / {S} rose from {num} to {num2}. || How much did {s} grow? / How did {s} change? / By how much did {s} rise?
any: The best time for {s} is {month}. / {S} is best in {month} and {month2}. / The right season for {s} is {month}. || When is the best time for {s}? / Which month is best for {s}? / When is {s} best?
any: {S} leaves at {clock} from platform {num}. / {S} departs from {place} at {clock}. / {S} leaves {town} at {clock}. || When does {s} leave? / From where does {s} depart? / What time does {s} depart?
any: {S} arrives in {town} at {clock}. / {S} reaches {town} after {dur}. || When does {s} arrive? / When does {s} reach {town}? / What is the arrival time of {s}?
any: {S} supports {codeword} and {codeword2}. / {S} now supports {codeword}. / {S} works with {codeword} {version} or newer. || What does {s} support? / Which versions does {s} support? / Does {s} support {codeword}?
any: The default value of {codeword} is {num}. / {Codeword} defaults to {num}. / Unless it is set, {codeword} is {num}. || What is the default of {codeword}? / What does {codeword} default to? / Which value does {codeword} have by default?
any: {Codeword} returns the {noun} of {s}. / Call {codeword} to {verb} {s}. / The function {codeword} {verbs} the {things}. || What does {codeword} do? / What does {codeword} return? / How do I {verb} {s}? / What is {codeword} for?
any: Version {version} fixes a bug in {codeword}. / Since version {version}, {codeword} is {adj}. / {Codeword} was removed in {version}. / Version {version} adds {codeword}. || What changed in version {version}? / What is new in {version}? / What happened to {codeword}? / Which version changed {codeword}?
any: The error {code} means that {clause}. / Error {code} appears when {clause}. / If you see {code}, {verb} the {noun}. || What does {code} mean? / What does error {code} mean? / When does {code} appear? / What can I do about {code}?
any: Each player gets {num} {things}. / Every {person1} receives {num} {things} and a {noun}. / All {people} get {num} {things}. || How many {things} does each player get? / What does each player get? / How many {things} do I get?
any: {S} is worth {num} points. / A {adj} {noun} counts {num} points. / You score {num} points for {s}. || How many points is {s} worth? / How many points do I get for {s}? / What does {s} count?
any: {S} is not covered by the {noun}. / The {noun} does not cover {s}. / {S} is excluded if {clause}. || Is {s} covered? / What is not covered? / Does the {noun} cover {s}? / When is {s} excluded?
any: The fine for {s} is {money}. / Whoever {verbs} {s} pays {money}. / {Verbing} {s} is punished with a fine of {money}. || What is the fine for {s}? / What is the penalty for {verbing} {s}? / How much do I pay if I {verb} {s}?
any: Either party may end {s} with {dur} notice. / {S} can be ended within {dur}. / The notice period of {s} is {dur}. || How can I end {s}? / What is the notice period of {s}? / How long is the notice for {s}?
any: {Person} complained that {clause}. / {Person} said that {clause}. / "{Clause}," said {person}. / {Person} reported that {clause}. || What did {person} say? / What did {person} complain about? / What did {person} report?
any: {S} is bad for {people} but good for {things}. / {S} helps against {state}. / {S} may cause {state}. || What does {s} help against? / What does {s} cause? / Is {s} good for me? / What are the effects of {s}?
any: Add {weight} of {food} and {verb} for {dur}. / {Verb} the {food} with {weight} of {food2}. / Mix the {food} with {num} spoons of {food2}. || How much {food} do I need? / What do I do with the {food}? / When do I add the {food}? / How long do I {verb} the {food}?
any: Bake {s} at {temp} for {dur}. / {S} goes into the oven at {temp} for {dur}. / Cook {s} for {dur}. || How long do I bake {s}? / How hot must the oven be for {s}? / At what temperature do I bake {s}? / How long does {s} have to cook?
any: {S} is the capital of {town}. / {S} is the largest {noun} of {town}. / {S} is the oldest {noun} in {town}. || What is {s}? / What is the largest {noun} of {town}? / What is the oldest {noun} in {town}?
any: {S} orbits {name} once every {dur}. / {S} is {bignum} kilometres away. / The distance to {s} is {bignum} kilometres. || How far is {s}? / How far away is {s}? / What is the distance to {s}? / How long does {s} take to go round {name}?
any: {S} has a population of {bignum}. / {Bignum} people live in {s}. / {S} counts {bignum} inhabitants. || How many people live in {s}? / What is the population of {s}? / How many inhabitants does {s} have?
any: {S} was born in {town} in {year}. / {S} was born on {date}. || When was {s} born? / Where was {s} born?
any: {S} died in {year}. / {S} died in {town} on {date}. || When did {s} die? / Where did {s} die?
any: {S} was the first to {verb} the {noun}. / {S} was the first {person1} in {town}. || Who was the first to {verb} the {noun}? / What was {s} the first to do?
any: {S} studied {idea} in {town}. / {S} learned {idea} from {person}. || What did {s} study? / Where did {s} study? / From whom did {s} learn?
any: {Clause}, so {clause2}. / {Clause} while {clause2}. / {Clause} and {clause2}. || What happened after {clause}? / What happened while {clause2}? / What happened?
""".strip().splitlines()

PRONOUN_SHARE = 0.4
COLOURS = "red blue green yellow white black grey brown purple orange silver golden crimson turquoise beige violet pink scarlet ivory".split()
MONTHS = "January February March April May June July August September October November December".split()
PREPOSITIONS = "in behind near under beside above inside outside at opposite".split()
ADVERBIALS = ["In most cases", "Today", "In {year}", "Since {year}", "On {date}", "According to {person}", "In {town}", "For many {people}", "As a rule",
              "At first", "Later", "Unfortunately", "Surprisingly", "Note that", "In practice", "For example", "By {year}", "During the {noun}", "However"]
TAILS = [", which {verbs} the {noun}", ", although {clause}", ", as {person} wrote in {year}", " in {town}", " with a {adj} {noun}", ", unlike {np}",
         " (see {code})", ", except in {month}", " unless {clause}", ", especially for {people}", " for {num} {things}", ", e.g. the {adj} {noun}"]


class OpenWorld:
    """Draws documents about anything. One per process: it holds the word lists."""

    def __init__(self):
        self.words = WordNet()
        self.paragraphs = jargon_paragraphs()
        self.frames = []
        for line in FRAMES:
            sentences, questions = line.partition(": ")[2].split(" || ")
            self.frames.append((sentences.split(" / "), questions.split(" / ")))
        self.slot = re.compile(r"\{([A-Za-z]+?)(\d*)\}")

    # ---- words and phrases -------------------------------------------------------------------------------------------------
    def noun(self, rng, kinds=("thing", "thing", "animal", "plant", "food", "place", "nature", "activity", "event", "group", "idea", "message", "substance")):
        kind = rng.choice(kinds)
        return rng.choice(self.words.common_nouns[kind] if rng.random() < 0.55 else self.words.nouns[kind])

    def adjective(self, rng):
        return rng.choice(self.words.common_adjectives if rng.random() < 0.7 else self.words.adjectives)

    def verb(self, rng):
        return rng.choice(self.words.common_verbs if rng.random() < 0.7 else self.words.verbs)

    def past(self, verb):
        return self.words.past.get(verb) or regular_past(verb)

    def participle(self, verb):
        return self.words.participle.get(verb) or regular_past(verb)

    def plural(self, noun):
        return self.words.plural.get(noun) or regular_plural(noun)

    def noun_phrase(self, rng, definite=0.8):
        head = self.noun(rng)
        u = rng.random()
        if u < 0.35:
            head = f"{self.adjective(rng)} {head}"
        elif u < 0.55:
            head = f"{self.noun(rng)} {head}"
        elif u < 0.62:
            head = f"{head} of {self.name(rng)}"
        return f"the {head}" if rng.random() < definite else f"{article(head)} {head}"

    def name(self, rng):
        """A made-up or dictionary-word proper name."""
        u = rng.random()
        if u < 0.5:
            return Invention(rng).word()
        if u < 0.7:
            return self.noun(rng).capitalize()
        if u < 0.85:
            return Invention(rng).word() + " " + self.noun(rng).capitalize()
        return self.adjective(rng).capitalize() + " " + self.noun(rng).capitalize()

    def person(self, rng):
        u = rng.random()
        if u < 0.65:
            return Invention(rng).person()
        title = rng.choice(["Dr.", "Professor", "Mr.", "Mrs.", "Captain", "Judge", "Sister"])
        return f"{title} {Invention(rng).word()}" if u < 0.85 else Invention(rng).person().split()[0]

    def codeword(self, rng):
        a, b = self.noun(rng), self.verb(rng)
        return rng.choice([f"{b}{a.capitalize()}()", f"--{a}-{b}", f"{a}_{b}", f"{a}.{b}", f"{a.upper()}_{b.upper()}", f"lib{a}", f"/{a}/{b}", f"{a}.conf", f"`{b} {a}`"])

    def clause(self, rng):
        subject = self.person(rng) if rng.random() < 0.4 else self.noun_phrase(rng)
        u = rng.random()
        if u < 0.5:
            return f"{subject} {self.past(self.verb(rng))} {self.noun_phrase(rng)}"
        if u < 0.75:
            return f"{subject} is {self.adjective(rng)}"
        return f"{subject} was {self.participle(self.verb(rng))} {rng.choice(PREPOSITIONS)} {self.noun_phrase(rng)}"

    def value(self, rng, slot):
        """Draws what a slot of a frame stands for."""
        d = Invention(rng)
        n = rng.randint
        draws = {
            "money": lambda: d.money() if rng.random() < 0.7 else rng.choice("€$£") + f"{n(1, 9999)}" + rng.choice(["", ".50", ".99", ",000"]), "date": d.date, "dur": lambda: rng.choice([d.time(), f"{n(2, 90)} minutes", f"{n(2, 50)} seconds", f"{n(2, 20)} years"]),
            "year": lambda: str(n(1200, 2031)), "town": d.word, "person": lambda: self.person(rng), "name": lambda: self.name(rng),
            "weight": lambda: f"{n(2, 950)} {rng.choice(['grams', 'kilograms', 'tonnes', 'pounds', 'g', 'kg', 'mg'])}",
            "length": lambda: f"{rng.choice([str(n(2, 900)), f'{n(1, 40)}.{n(1, 9)}'])} {rng.choice(['metres', 'centimetres', 'feet', 'inches', 'km', 'cm', 'millimetres'])}",
            "area": lambda: f"{n(2, 9000)} {rng.choice(['square metres', 'hectares', 'acres'])}", "num": lambda: str(n(2, 60)) if rng.random() < 0.7 else rng.choice("two three four five six seven eight nine ten eleven twelve twenty".split()),
            "bignum": lambda: rng.choice([f"{n(1, 999)},{n(100, 999)}", f"{n(2, 900)} million", f"{n(1000, 9999)}"]),
            "colour": lambda: rng.choice(COLOURS), "month": lambda: rng.choice(MONTHS), "temp": lambda: f"{n(-40, 260)} degrees" if rng.random() < 0.7 else f"{n(2, 250)} °C",
            "speed": lambda: f"{n(2, 900)} {rng.choice(['km/h', 'miles per hour', 'metres per second', 'knots'])}", "clock": lambda: f"{n(0, 23):02d}:{n(0, 59):02d}" if rng.random() < 0.7 else f"{n(1, 12)} {rng.choice(['am', 'pm'])}",
            "pct": lambda: d.pct() if rng.random() < 0.6 else f"{n(1, 99)}%", "code": lambda: rng.choice([d.ref(), f"E{n(10, 999)}", f"{self.noun(rng)[:3].upper()}{n(10, 9999)}", f"0x{n(0, 65535):04X}", f"#{n(100, 9999)}"]),
            "version": lambda: f"{n(0, 12)}.{n(0, 30)}" + (f".{n(0, 20)}" if rng.random() < 0.5 else ""), "period": lambda: rng.choice("day week month year hour night".split()),
            "place": lambda: rng.choice([d.place(), f"the {self.noun(rng, ('place', 'thing', 'nature'))}", f"the {self.adjective(rng)} {self.noun(rng, ('place', 'thing', 'nature'))} of {d.word()}"]),
            "noun": lambda: self.noun(rng), "things": lambda: self.plural(self.noun(rng, ("thing", "animal", "plant", "food", "person", "message", "group", "nature"))), "np": lambda: self.noun_phrase(rng),
            "people": lambda: self.plural(self.noun(rng, ("person",))), "adj": lambda: self.adjective(rng), "substance": lambda: self.noun(rng, ("substance", "food")),
            "food": lambda: self.noun(rng, ("food", "food", "plant")), "state": lambda: self.noun(rng, ("state", "quality")), "idea": lambda: self.noun(rng, ("idea", "activity")), "codeword": lambda: self.codeword(rng),
            "clause": lambda: self.clause(rng),
        }
        return draws[slot]()

    def fill(self, rng, patterns, subject, bound=None):
        """Fills the slots of several patterns with the same draws."""
        bound = {} if bound is None else bound

        def put(match):
            slot, number = match.groups()
            lower = slot.lower()
            if slot in ("S", "s"):
                return subject[0].upper() + subject[1:] if slot == "S" else subject
            if lower in ("verb", "verbed", "verbing", "verbs", "verbpast"):
                verb = bound.setdefault("verb" + number, self.verb(rng))
                text = {"verb": verb, "verbed": self.participle(verb), "verbing": gerund(verb), "verbs": third_person(verb)}[lower]
            elif lower == "person" and number == "1":
                text = bound.setdefault("person1", self.noun(rng, ("person",)))
            else:
                if lower + number not in bound:
                    bound[lower + number] = self.value(rng, lower)
                text = bound[lower + number]
            return text[0].upper() + text[1:] if slot[0].isupper() else text

        filled = [self.slot.sub(put, pattern) for pattern in patterns]
        return [f[0].upper() + f[1:] for f in filled]

    # ---- units ---------------------------------------------------------------------------------------------------------------
    def frame_unit(self, rng, index, subject, pronoun=None):
        """A fact about `subject` after a frame; some facts say "it" where the question names the subject."""
        sentences, questions = self.frames[index]
        sentence = rng.choice(sentences)
        bound = {}
        spoken = pronoun if pronoun and rng.random() < PRONOUN_SHARE and ("{S}" in sentence) else subject
        text = self.fill(rng, [sentence], spoken, bound)[0]
        if rng.random() < 0.25:
            lead = self.fill(rng, [rng.choice(ADVERBIALS)], spoken)[0]
            spoken_first = sentence.startswith("{S}") and spoken[0].isupper()
            keeps_case = spoken_first or text.split()[0].rstrip(",.") in {w for v in bound.values() for w in str(v).split()} or text[:1] == '"'
            text = f"{lead}{'' if lead == 'Note that' else ','} {text if keeps_case else text[0].lower() + text[1:]}"
        if rng.random() < 0.25 and text.endswith("."):
            text = text[:-1] + self.slot.sub(lambda m: self.fill_tail(rng, m), rng.choice(TAILS)) + "."
        return Unit(text, self.fill(rng, questions, subject, bound), frame=str(index))

    def fill_tail(self, rng, match):
        slot = match.group(1)
        if slot == "verbs":
            return third_person(self.verb(rng))
        return self.value(rng, slot)

    def story_unit(self, rng, subject=None):
        """Somebody did something somewhere: an invented sentence whose parts can be asked for."""
        verb = self.verb(rng)
        who = subject or (self.person(rng) if rng.random() < 0.5 else self.noun_phrase(rng))
        what = self.noun_phrase(rng)
        where = f"{rng.choice(PREPOSITIONS)} {self.noun_phrase(rng)}"
        when = self.fill(rng, [rng.choice(["on {date}", "in {year}", "at {clock}", "after {dur}", "in {month}"])], "")[0]
        when = when[0].lower() + when[1:]
        past = self.past(verb)
        has_where, has_when = rng.random() < 0.5, rng.random() < 0.4
        tail = (f" {where}" if has_where else "") + (f" {when}" if has_when else "")
        passive = rng.random() < 0.3
        head = who[0].upper() + who[1:]
        if passive:
            text = f"{what[0].upper() + what[1:]} was {self.participle(verb)} by {who}{tail}."
        else:
            text = f"{head} {past} {what}{tail}."
        questions = [f"Who {past} {what}?", f"What did {who} {verb}?", f"By whom was {what} {self.participle(verb)}?", f"What happened to {what}?", f"What did {who} do?"]
        if has_where:
            questions += [f"Where did {who} {verb} {what}?", f"Where was {what} {self.participle(verb)}?"]
        if has_when:
            questions += [f"When did {who} {verb} {what}?", f"When was {what} {self.participle(verb)}?"]
        return Unit(text, questions, frame="story")

    def definition_unit(self, rng, term=None):
        part, lemma, definition = rng.choice(self.words.definitions)
        definition = definition.rstrip(".")
        if part == "noun":
            named = lemma if lemma[0].isupper() else f"{article(lemma)} {lemma}"
            text = rng.choice([f"{named[0].upper() + named[1:]} is {definition}.", f"{lemma[0].upper() + lemma[1:]}: {definition}.", f"{lemma[0].upper() + lemma[1:]} means {definition}."])
            questions = [f"What is {named}?", f"What does {lemma} mean?", f"Define {lemma}.", f"Explain {lemma}.", f"What is meant by {lemma}?"]
        elif part == "verb":
            text = rng.choice([f"To {lemma} is to {definition}.", f"To {lemma} means to {definition}.", f"{lemma[0].upper() + lemma[1:]}: {definition}."])
            questions = [f"What does it mean to {lemma}?", f"What does {lemma} mean?", f"Define {lemma}."]
        else:
            text = rng.choice([f"Something {lemma} is {definition}.", f"{lemma[0].upper() + lemma[1:]} means {definition}.", f"{lemma[0].upper() + lemma[1:]}: {definition}."])
            questions = [f"What does {lemma} mean?", f"What is the meaning of {lemma}?", f"Define {lemma}."]
        return Unit(text, questions, frame="definition")

    # ---- questions out of any unit ---------------------------------------------------------------------------------------------
    def varied(self, rng, word):
        """The word, or another form of it, or a synonym: users do not repeat a document's words exactly."""
        u = rng.random()
        lower = word.lower()
        if not lower.isalpha() or u < 0.7:
            return lower if rng.random() < 0.3 else word
        if u < 0.78 and lower in self.words.synonyms:
            return rng.choice(self.words.synonyms[lower])
        return rng.choice(self.words.forms(lower) or [word])

    def keyword_question(self, rng, word):
        """A question about one word, such as one asks about a thing or about something one does."""
        varied = self.varied(rng, word)
        templates = KEYWORD_QUESTIONS
        if rng.random() < 0.75:
            lemmas = self.words.lemmas
            is_verb = varied in lemmas["verb"] and (varied not in lemmas["noun"] or rng.random() < 0.5)
            is_thing = varied in lemmas["noun"] or varied[0].isupper() or any(form in lemmas["noun"] for form in self.words.forms(varied))
            templates = VERB_QUESTIONS if is_verb else NOUN_QUESTIONS if is_thing else KEYWORD_QUESTIONS
        return rng.choice(templates).format(varied)

    def questions_from_words(self, rng, text, count=3):
        """Questions made of words of the text itself: a single word, a run of words behind a question word, or a few content words."""
        tokens = re.findall(r"[\w'./%:()`#-]*\w[\w'/%()`-]*", text)
        if len(tokens) < 3:
            return [f"What about {text.rstrip('.')}?"]
        content = [t for t in tokens if t.lower() not in STOP_WORDS and len(t) > 1] or tokens
        rare = [t for t in content if len(t) > 3]
        out = []
        for _ in range(count):
            u = rng.random()
            if u < 0.3 and rare:
                out.append(self.keyword_question(rng, rng.choice(rare)))
            elif u < 0.65:
                size = rng.randint(2, min(7, len(tokens)))
                start = rng.randint(0, len(tokens) - size)
                run = tokens[start:start + size]
                if not any(t in content for t in run):
                    run = content[:size]
                span = " ".join(self.varied(rng, t) if t in content else t for t in run)
                if start == 0:
                    span = span[0].lower() + span[1:]
                out.append(rng.choice(["What {}?", "Who {}?", "Why {}?", "How {}?", "When {}?", "Where {}?", "What is said about {}?", "What about {}?", "How does {}?",
                                       "Why does {}?", "What happens when {}?", "Is it true that {}?", "What is {}?", "How is {}?", "Which {}?", "How many {}?", "What does the text say about {}?", "{}?"]).format(span))
            else:
                picked = rng.sample(content, min(len(content), rng.randint(2, 4)))
                picked = [self.varied(rng, t) for t in picked]
                a, b = picked[0], picked[-1] if len(picked) > 1 else ""
                out.append(rng.choice([f"What about {a} and {b}?", f"What does {a} have to do with {b}?", f"Where is {a} mentioned with {b}?", f"How is {a} related to {b}?", f"What is the {a} of {b}?", " ".join(picked) + "?",
                                       f"When does the {a} {b}?", f"How do I {a} the {b}?", f"What do I need to know about {' '.join(picked)}?", f"Which {a} has {b}?", f"Can I {a} {b}?", f"Why is the {a} {b}?", f"How much {a} for {b}?", " ".join(picked)]))
        return out

    # ---- documents -------------------------------------------------------------------------------------------------------------
    def facts_document(self, rng):
        """One subject, several facts about it, often with stories and remarks in between."""
        subject = self.name(rng) if rng.random() < 0.35 else self.noun_phrase(rng, 1.0)
        if rng.random() < 0.1:
            subject = self.person(rng)
        pronoun = rng.choice(["it", "it", "it", "this one", "he" if rng.random() < 0.3 else "she" if rng.random() < 0.3 else "it"])
        bare = subject[4:] if subject.startswith("the ") else subject
        units = []
        for index in rng.sample(range(len(self.frames)), rng.randint(2, 6)):
            units.append(self.frame_unit(rng, index, subject, pronoun if units or rng.random() < 0.5 else None))
            if rng.random() < 0.2:
                units.append(self.story_unit(rng, subject if rng.random() < 0.4 else None))
        title = rng.choice([bare[0].upper() + bare[1:], bare.title(), f"About {subject}", f"{bare[0].upper() + bare[1:]}: an overview"])
        return Document(title, units, subject)

    def several_subjects_document(self, rng):
        """A page about several things: every fact has its own subject, some the same question."""
        frames = rng.sample(range(len(self.frames)), rng.randint(1, 3))
        units = [self.frame_unit(rng, rng.choice(frames) if rng.random() < 0.7 else rng.randrange(len(self.frames)), self.noun_phrase(rng) if rng.random() < 0.6 else self.name(rng)) for _ in range(rng.randint(2, 6))]
        return Document(self.heading(rng), units)

    def heading(self, rng):
        return rng.choice([f"{self.noun(rng).capitalize()} {self.noun(rng)}", f"{self.name(rng)}: {self.noun(rng)}", f"{self.adjective(rng).capitalize()} {self.plural(self.noun(rng))}", f"The {self.noun(rng)} of {self.name(rng)}",
                           f"{gerund(self.verb(rng)).capitalize()} the {self.noun(rng)}", f"How to {self.verb(rng)} {self.noun_phrase(rng)}", f"{self.name(rng)} {self.value(rng, 'version')}", f"{self.noun(rng)}-{self.noun(rng)}.md", f"Section {rng.randint(1, 40)}: {self.noun(rng)}"])

    def story_document(self, rng):
        hero = self.person(rng)
        units = [self.story_unit(rng, hero if rng.random() < 0.4 else None) for _ in range(rng.randint(2, 6))]
        return Document(rng.choice([self.heading(rng), f"The story of {hero}"]), units)

    def definitions_document(self, rng):
        before = rng.choice([" ", "\n", "\n- "])
        units = [self.definition_unit(rng) for _ in range(rng.randint(2, 6))]
        for unit in units:
            unit.before = before
        return Document(self.heading(rng), units)

    def prose_document(self, rng):
        """Real English: example sentences, or a paragraph of the Jargon File, asked for by their words."""
        if rng.random() < 0.4:
            paragraph = rng.choice(self.paragraphs)
            sentences = paragraph[:rng.randint(2, 6)]
        else:
            sentences = [rng.choice(self.words.examples) for _ in range(rng.randint(2, 6))]
        return Document(self.heading(rng), [Unit(s, self.questions_from_words(rng, s), frame="prose") for s in sentences])

    def list_document(self, rng):
        """Bullets or numbered lines: ingredients, steps, settings, opening times, log lines, rows of a table."""
        kind = rng.choice(["items", "steps", "settings", "rows", "table", "log", "items", "steps"])
        count = rng.randint(3, 8)
        units = []
        marker = rng.choice(["\n- ", "\n* ", "\n", "\n• "])
        numbered = kind == "steps" and rng.random() < 0.6
        columns = rng.sample(["clock", "money", "town", "date", "num", "person", "weight", "pct", "colour", "code"], 3)
        for i in range(count):
            if kind == "items":
                what = self.noun_phrase(rng)[4:]
                value = self.value(rng, rng.choice(["weight", "num", "money", "colour", "dur", "length"]))
                text = rng.choice([f"{value} {what}", f"{what}: {value}", f"{what[0].upper() + what[1:]} ({value})", f"{what} - {value}"])
                questions = [f"How much {what}?", f"What does the list say about {what}?", f"How much {what} is needed?", f"What is the value for {what}?", f"How many {what} do I need?"]
            elif kind == "steps":
                verb, thing = self.verb(rng), self.noun_phrase(rng)
                text = rng.choice([f"{verb.capitalize()} {thing}.", f"{verb.capitalize()} {thing} with {self.value(rng, 'substance')}.", f"{verb.capitalize()} {thing} for {self.value(rng, 'dur')}.", f"{verb.capitalize()} {thing} and {self.verb(rng)} {self.noun_phrase(rng)}."])
                questions = [f"How do I {verb} {thing}?", f"What do I do with {thing}?", f"When do I {verb} {thing}?", f"What should I {verb}?", f"How long do I {verb} {thing}?"]
            elif kind == "settings":
                key, value = self.codeword(rng).strip("`()"), self.value(rng, rng.choice(["num", "codeword", "town", "colour", "version"]))
                text = rng.choice([f"{key} = {value}", f"{key}: {value}", f"{key}: {self.value(rng, 'noun')} to {self.verb(rng)} (default {value})"])
                questions = [f"What is {key} set to?", f"What is the value of {key}?", f"What does {key} do?", f"How is {key} set?", f"What is the default of {key}?"]
            elif kind == "log":
                thing = self.clause(rng)
                text = f"{self.value(rng, 'clock')} {rng.choice(['INFO', 'WARN', 'ERROR', 'DEBUG'])} {self.noun(rng)}: {thing}"
                questions = self.questions_from_words(rng, thing) + [f"When did it happen that {thing}?"]
            else:
                name = self.name(rng)
                values = [self.value(rng, column) for column in columns]
                text = f"{name} | {values[0]} | {values[1]} | {values[2]}" if kind == "table" else f"{name}: {values[0]}, {values[1]}, {values[2]}"
                questions = [f"What about {name}?", f"What does the table say about {name}?", f"What are the values for {name}?", f"When is {name}?", f"How much is {name}?", f"Where is {name}?"]
            before = f"\n{i + 1}. " if numbered else marker
            units.append(Unit(text, questions, frame="list", before=before))
        title = self.heading(rng)
        return Document(title, units)

    def mixed_document(self, rng):
        """Sentences of every kind under one heading, as a real page has."""
        subject = self.noun_phrase(rng, 1.0)
        units = []
        for _ in range(rng.randint(2, 6)):
            u = rng.random()
            if u < 0.45:
                units.append(self.frame_unit(rng, rng.randrange(len(self.frames)), subject if rng.random() < 0.5 else self.noun_phrase(rng), "it" if units else None))
            elif u < 0.6:
                units.append(self.story_unit(rng))
            elif u < 0.75:
                units.append(self.definition_unit(rng))
            else:
                sentence = rng.choice(self.words.examples)
                units.append(Unit(sentence, self.questions_from_words(rng, sentence), frame="prose"))
        return Document(rng.choice([subject[4:].capitalize(), self.heading(rng)]), units, subject)

    def document(self, rng):
        make = rng.choice([self.facts_document] * 5 + [self.several_subjects_document] * 3 + [self.story_document] * 2 + [self.definitions_document] * 2
                          + [self.prose_document] * 3 + [self.list_document] * 3 + [self.mixed_document] * 4)
        document = make(rng)
        if rng.random() < 0.08 and all(unit.before == " " for unit in document.units):
            document.units += make(rng).units
            for unit in document.units:
                unit.before = " " if unit.frame != "list" else "\n"
        if rng.random() < 0.06:
            old, new = rng.choice([("'", "\u2019"), (" - ", " \u2013 "), ("-", "\u2013"), ("...", "\u2026"), ('"', "\u201c")])
            for unit in document.units:
                unit.text = unit.text.replace(old, new)
        if rng.random() < 0.04:
            mark, stop = rng.choice(["§", "Art.", "Note", "Rule", "#"]), rng.choice(["", ".", ":"])
            for i, unit in enumerate(document.units):
                unit.text = f"{mark} {i + 1}{stop} {unit.text}"
        if rng.random() < 0.12:
            for unit in document.units[1:]:
                if unit.before == " " and rng.random() < 0.4:
                    unit.before = rng.choice(["\n", "\n\n"])
        name = document.name or document.title
        document.wholes = whole_questions(name)
        return document
