"""Phrases that many plots share, in the template language of template.py. They refer only to the hero.

An opening phrase introduces the hero or is empty, so the sentence after it must name the hero.
"""

PHRASES = {
    # "Once upon a time, there was a little girl named Lily. She loved to sing." The hero is a child.
    "once": """[Once upon a time, there was a <trait> {hero.kind} named {hero}. [{He} <loved_to>.||]
        |Once there was a {hero.kind} named {hero}[ who <loved_to>].
        |There once was a <trait> {hero.kind} called {hero}. [{He} <loved_to>.|]
        |In a [small|quiet|sunny|busy] [town|village] <by_place>, there lived a <trait> {hero.kind} named {hero}. [{He} <loved_to>.|]
        |{Hero} was a <trait> {hero.kind} [with <looks>|who <loved_to>].
        |{Hero} was [three|four|five|six] years old[ and <loved_to>|].
        |{Hero} lived in a [small|tall|yellow|white|little brick|cozy|wooden] house <by_place>. [{He} <loved_to>.|]
        |Not so long ago, a <trait> {hero.kind} named {hero} lived <by_place>.
        |A <trait> {hero.kind} named {hero} <loved_to>.||||]""",
    "trait": "[little|little|little|small|young|cheerful|curious|lively|merry|friendly|clever|gentle|busy|bright|playful]",
    "looks": """[curly hair|long brown hair|a big smile|two long braids|a round face|freckles on {his} nose|messy hair|short black hair
        |a missing tooth|a loud laugh|rosy cheeks|bright eyes|muddy shoes]""",
    "loved_to": """[loved to [sing|draw|dance|paint|run|play outside|climb trees|look at books|help in the kitchen|tell jokes|count things
        |build towers|ask questions|splash in puddles
        |watch birds|collect stones|dress up|ride a bike|hear stories]|liked [bugs|trains|dinosaurs|pirates|the stars
        |horses|puzzles|jam|cats|dogs|games] more than anything]""",
    "by_place": """[by the sea|near the woods|beside a river|at the foot of a hill|by a blue lake|near the train station|at the end of a long road
        |next to a farm|across from the bakery|by the old mill|in the valley|under tall trees]""",
    # Little animals live elsewhere and love other things.
    "once_animal": """[Once upon a time, there was a <animal_trait> {hero.kind} named {hero}.
        |Once upon a time, in [a deep|a green|a quiet|an old] [forest|wood], there lived a <animal_trait> {hero.kind} named {hero}.
        |{Hero} was a <animal_trait> {hero.kind} who lived <animal_home>.
        |There once was a <animal_trait> {hero.kind} called {hero}, who lived <animal_home>.
        |Long ago, when the trees could still whisper, there was a {hero.kind} named {hero}.
        |Deep in the woods lived a <animal_trait> {hero.kind} named {hero}.
        |A <animal_trait> {hero.kind} named {hero} lived <animal_home>.]""",
    "animal_trait": "[little|little|small|young|tiny|merry|curious|lively|cheerful|clever|playful|round little|sleepy little]",
    "animal_home": """[under an old oak|beside a stream|at the edge of the forest|near a green meadow|behind the mill|among the ferns|by a still pond
        |on a mossy hill|under the roots of a pine|beyond the hill]""",
    # When it happened. Each starts a sentence and takes a comma.
    "One_day": """[One day|One day|One day|One morning|One afternoon|One [Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday]|Early one morning
        |Late one afternoon|One bright morning|One quiet afternoon]""",
    "One_fine_day": """[One sunny day|One sunny morning|One warm afternoon|On a fine spring day|On a bright summer day|One lovely morning|One fine day
        |One hot afternoon|On a mild and sunny day|One summer morning]""",
    "One_evening": "[One evening|One night|Late one evening|One cool evening|One dark evening|One quiet night]",
    # Variants of common words.
    "smiled": "[smiled|smiled|grinned|beamed|laughed]",
    "very": "[very|so|very, very]",
    "said_softly": "[said softly|whispered|said in a small voice|said quietly|mumbled]",
    "cried_out": "[cried|shouted|called|yelled]",
    "at_last": "[At last|Finally|In the end|After a while]",
    "great": "[great|wonderful|lovely|fine|splendid|marvelous]",
    # How a day ends. The hero is a child.
    "to_bed": """[That night, {hero} [fell asleep|went to bed|closed {his} eyes] [with a smile|smiling|feeling warm and happy|feeling proud].
        |When {hero} went to bed that night, {he} was still smiling.|It had been a [good|lovely|wonderful|long and happy] day.
        |{Hero} [would never forget|always remembered] that day.|]""",
    "the_end": "[The end.|||||]",
}
