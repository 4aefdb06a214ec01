// All that the studio says, in English and in Finnish; where it depends on what the model writes, by key_stories, key_chat, key_prompts and key_bytes.
export const WORDS = {
  en: {
    skip: "Skip to the drafts", studio: "studio", studio_stories: "story studio", write: "Write", shelf: "Shelf", training: "Training", about: "The model", language: "Language",
    look: "Look", auto: "Auto", light: "Light", dark: "Dark",
    heading: "What shall it go on from?", heading_stories: "What shall the story be?", heading_chat: "What do you say to it?", heading_prompts: "What shall it answer?",
    does: "It goes on from a beginning, or begins by itself.", does_stories: "Wish for something, or leave all of it to chance.",
    does_chat: "Each draft is another answer. It remembers none of what was said before.", does_prompts: "It completes prompts like those that it was taught with.",
    does_bytes: "It writes raw bytes, which are shown as text here. `tavu generate` saves them as they are.",
    words: "Words that it has", features: "What it is like", summary: "What happens",
    opening: "How it begins", opening_chat: "You say", opening_prompts: "Prompt", openingExample: "", openingExample_chat: "Hello!", count: "Drafts", seed: "Seed", dice: "Another seed", daring: "Daring", insist: "How much it insists on them", more: "More",
    length: "Longest text, in bytes", pace: "Pace", calm: "To watch", full: "As fast as it is written", begin: "Write", begin_chat: "Say it", halt: "Stop",
    same: "The same beginning and the same seed give the same text.", same_stories: "The same wishes and the same seed give the same story.",
    same_chat: "The same words and the same seed give the same answer.", same_prompts: "The same prompt and the same seed give the same answer.", underlay: "Show what surprised the model", expected: "expected", surprising: "surprising",
    emptyTitle: "An empty desk.", emptyText: "Ask for a text, and watch it being written, letter by letter, on this very machine.",
    emptyText_stories: "Ask for a story, and watch it being written, letter by letter, on this very machine.",
    emptyText_chat: "Say something, and watch the answer being written, letter by letter, on this very machine.",
    emptyText_prompts: "Give it a prompt, and watch the answer being written, letter by letter, on this very machine.",
    draft: "Draft", keep: "Keep", kept: "Kept", edit: "Edit", done: "Done", goOn: "Continue", goOnHere: "Continue from the cursor", again: "Put away", copyText: "The text of draft",
    ended: "Finished.", ended_stories: "The end.", cut: "Stopped at its longest; it can go on.", cut_bytes: "Stopped at its longest.", cut_chat: "Stopped at its longest.", cut_prompts: "Stopped at its longest.",
    halted: "Stopped.", failed: "It failed before its end.", nothing: "The model takes the text for finished here.", nothing_chat: "The model answers nothing.", nothing_prompts: "The model answers nothing.",
    has: "It has", lacks: "It lacks", unseen: "No rule can tell", best: "The best of", tries: "tries.", anew: "Written anew. The last one lacked",
    finished: "is finished", failedNow: "has failed", writing: "Writing", shelfTitle: "What you kept", shelfText: "It lies in this browser, nowhere else.", exportText: "Save all as text", exportJson: "Save all as JSON",
    emptyShelf: "Nothing kept yet.", onDesk: "Put on the desk", remove: "Remove", removed: "Removed.", undo: "Put it back", full_shelf: "The browser has no room for more. Save some texts and remove them.",
    trainingTitle: "How it learned", noReport: "There is no training report beside this model: a run folder has one.", limitsTitle: "What it can do, and what not",
    limit1: "It writes what is like its training text. It knows nothing of the world beyond that.", limit1_stories: "It writes little stories like those it was trained on. It knows nothing of the world beyond them.",
    limit2: "It is not an assistant: it neither answers questions nor follows orders, and what it tells is made up.",
    limit2_chat: "It answers as the conversations did that it was trained on, and what it tells may be made up.", limit2_prompts: "It answers as the examples did that it was trained on, and what it tells may be made up.",
    limit3: "It may contradict itself, or repeat itself. Several drafts help.", limit3_stories: "It may contradict itself, repeat itself, or forget a wish. Several drafts help.",
    limit4: "Nothing of what you write leaves this server, and it writes none of it down unless its operator says so.",
    forPrograms: "For programs: the API", keyTitle: "This studio has a key", keyText: "The API key, as it was shown when the server was first started", keyWrong: "That is not its key.", open: "Open",
    parameters: "Parameters", fileSize: "Its file", trainedOn: "Trained on", trainedFor: "Trained for", bpb: "Bits per byte of unseen text", context: "It looks back over", kind: "It was taught",
    k_stories: "to write stories to order", k_chat: "to converse", k_prompts: "to complete prompts", k_none: "to go on from a beginning", bytes: ["byte", "bytes"], minutes: ["minute", "minutes"], seconds: ["second", "seconds"], documents: ["document", "documents"], noteOf: "Note",
    f_Dialogue: "Dialogue", f_Twist: "A twist", f_BadEnding: "A bad ending", f_MoralValue: "A moral", f_Foreshadowing: "Foreshadowing", f_Conflict: "Conflict",
    unreachable: "The server does not answer. Is it still running?",
  },
  fi: {
    skip: "Siirry luonnoksiin", studio: "paja", studio_stories: "tarinapaja", write: "Kirjoita", shelf: "Hylly", training: "Oppiminen", about: "Malli", language: "Kieli",
    look: "Ulkoasu", auto: "Autom.", light: "Vaalea", dark: "Tumma",
    heading: "Mistä se jatkaa?", heading_stories: "Millainen tarina?", heading_chat: "Mitä sanot sille?", heading_prompts: "Mihin se vastaa?",
    does: "Se jatkaa alusta, jonka annat, tai aloittaa itse.", does_stories: "Toivo jotakin, tai jätä kaikki sattuman varaan.",
    does_chat: "Jokainen luonnos on eri vastaus. Aiemmin sanottua se ei muista.", does_prompts: "Se täydentää kehotteita, sellaisia kuin ne, joilla sitä opetettiin.",
    does_bytes: "Se kirjoittaa raakoja tavuja, jotka näytetään tässä tekstinä. `tavu generate` tallentaa ne sellaisinaan.",
    words: "Sanat, jotka siinä on", features: "Millainen se on", summary: "Mitä tapahtuu",
    opening: "Miten se alkaa", opening_chat: "Sinä sanot", opening_prompts: "Kehote", openingExample: "", openingExample_chat: "Hei!", count: "Luonnoksia", seed: "Siemenluku", dice: "Toinen siemenluku", daring: "Rohkeus", insist: "Kuinka tiukasti ne tulevat", more: "Lisää",
    length: "Tekstin enimmäispituus tavuina", pace: "Tahti", calm: "Katseltavaksi", full: "Niin nopeasti kuin syntyy", begin: "Kirjoita", begin_chat: "Sano", halt: "Pysäytä",
    same: "Sama alku ja sama siemenluku antavat saman tekstin.", same_stories: "Samat toiveet ja sama siemenluku antavat saman tarinan.",
    same_chat: "Samat sanat ja sama siemenluku antavat saman vastauksen.", same_prompts: "Sama kehote ja sama siemenluku antavat saman vastauksen.", underlay: "Näytä, mikä yllätti mallin", expected: "odotettu", surprising: "yllättävä",
    emptyTitle: "Tyhjä pöytä.", emptyText: "Pyydä teksti ja katso, kuinka se syntyy kirjain kirjaimelta, juuri tällä koneella.",
    emptyText_stories: "Pyydä tarina ja katso, kuinka se syntyy kirjain kirjaimelta, juuri tällä koneella.",
    emptyText_chat: "Sano jotakin ja katso, kuinka vastaus syntyy kirjain kirjaimelta, juuri tällä koneella.",
    emptyText_prompts: "Anna kehote ja katso, kuinka vastaus syntyy kirjain kirjaimelta, juuri tällä koneella.",
    draft: "Luonnos", keep: "Säilytä", kept: "Hyllyssä", edit: "Muokkaa", done: "Valmis", goOn: "Jatka", goOnHere: "Jatka kohdistimesta", again: "Pois pöydältä", copyText: "Luonnoksen teksti",
    ended: "Valmis.", ended_stories: "Loppu.", cut: "Enimmäispituus tuli täyteen; teksti voi jatkua.", cut_bytes: "Enimmäispituus tuli täyteen.", cut_chat: "Enimmäispituus tuli täyteen.", cut_prompts: "Enimmäispituus tuli täyteen.",
    halted: "Pysäytetty.", failed: "Kirjoittaminen epäonnistui.", nothing: "Mallin mielestä teksti päättyy tähän.", nothing_chat: "Malli ei vastaa mitään.", nothing_prompts: "Malli ei vastaa mitään.",
    has: "Siinä on", lacks: "Siitä puuttuu", unseen: "Mikään sääntö ei näe tätä", best: "Paras", tries: "yrityksestä.", anew: "Kirjoitettu uudelleen. Edellisestä puuttui",
    finished: "on valmis", failedNow: "epäonnistui", writing: "Kirjoittaa", shelfTitle: "Säilyttämäsi tekstit", shelfText: "Ne ovat tässä selaimessa, eivät missään muualla.", exportText: "Tallenna kaikki tekstinä", exportJson: "Tallenna kaikki JSONina",
    emptyShelf: "Hylly on vielä tyhjä.", onDesk: "Nosta pöydälle", remove: "Poista", removed: "Poistettu.", undo: "Palauta", full_shelf: "Selaimeen ei mahdu enempää tekstejä. Tallenna ja poista joitakin.",
    trainingTitle: "Miten se oppi", noReport: "Tämän mallin vieressä ei ole raporttia oppimisesta: ajokansiossa sellainen on.", limitsTitle: "Mitä se osaa, ja mitä ei",
    limit1: "Se kirjoittaa sellaista, mistä se oppi. Muusta maailmasta se ei tiedä mitään.", limit1_stories: "Se kirjoittaa pieniä tarinoita, sellaisia kuin ne, joista se oppi. Muusta maailmasta se ei tiedä mitään.",
    limit2: "Se ei ole avustaja: se ei vastaa kysymyksiin eikä tottele käskyjä, ja mitä se kertoo, on keksittyä.",
    limit2_chat: "Se vastaa niin kuin keskusteluissa, joista se oppi, ja mitä se kertoo, voi olla keksittyä.", limit2_prompts: "Se vastaa niin kuin esimerkeissä, joista se oppi, ja mitä se kertoo, voi olla keksittyä.",
    limit3: "Se voi puhua ristiin tai toistaa itseään. Useampi luonnos auttaa.", limit3_stories: "Se voi puhua ristiin, toistaa itseään tai unohtaa toiveen. Useampi luonnos auttaa.",
    limit4: "Mikään kirjoittamasi ei lähde tältä palvelimelta, eikä se merkitse sitä muistiin, ellei sen ylläpitäjä niin määrää.",
    forPrograms: "Ohjelmille: rajapinta", keyTitle: "Tällä pajalla on avain", keyText: "API-avain, joka näytettiin, kun palvelin ensi kerran käynnistettiin", keyWrong: "Tämä ei ole sen avain.", open: "Avaa",
    parameters: "Parametreja", fileSize: "Tiedoston koko", trainedOn: "Opetettu tekstillä", trainedFor: "Opetettu", bpb: "Bittejä tavua kohti ennen näkemättömässä tekstissä", context: "Se muistaa taaksepäin", kind: "Se opetettiin",
    k_stories: "kirjoittamaan tarinoita toiveiden mukaan", k_chat: "keskustelemaan", k_prompts: "täydentämään kehotteita", k_none: "jatkamaan alusta", bytes: ["tavu", "tavua"], minutes: ["minuutti", "minuuttia"], seconds: ["sekunti", "sekuntia"], documents: ["teksti", "tekstiä"], noteOf: "Huomautus",
    f_Dialogue: "Vuoropuhelua", f_Twist: "Käänne", f_BadEnding: "Surullinen loppu", f_MoralValue: "Opetus", f_Foreshadowing: "Enteitä", f_Conflict: "Ristiriita",
    unreachable: "Palvelin ei vastaa. Onko se vielä käynnissä?",
  },
};

let language = localStorage.getItem("tavu-language") || (navigator.language.startsWith("fi") ? "fi" : "en");
let writes = "text";
/** What the model writes: stories, chat, prompts, text or bytes. */
export const speakOf = (kind) => { writes = kind; };
export const t = (key) => WORDS[language][`${key}_${writes}`] ?? WORDS[language][key] ?? key;
/** A number with its unit, one or more of them. */
export const counted = (number, unit) => `${number.toLocaleString(language)} ${t(unit)[number === 1 ? 0 : 1]}`;
/** A model's feature in the person's language; the model's own word where there is none. */
export const featureName = (feature) => WORDS[language][`f_${feature}`] ?? feature;
export const speaks = () => language;

export function speak(wanted) {
  language = wanted in WORDS ? wanted : "en";
  localStorage.setItem("tavu-language", language);
  document.documentElement.lang = language;
  document.title = `tavu · ${t("studio")}`;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-l]")) element.setAttribute("aria-label", t(element.dataset.l));
}
