// All that the studio says, in English and in Finnish.
export const WORDS = {
  en: {
    skip: "Skip to the stories", studio: "story studio", write: "Write", shelf: "Shelf", training: "Training", about: "The model", language: "Language",
    look: "Look", auto: "Auto", light: "Light", dark: "Dark", heading: "What shall the story be?",
    follows: "Wish for something, or leave all of it to chance.", continues: "This model goes on from a beginning; it was not taught to follow wishes.",
    words: "Words that it has", wordsExample: "key, oak, brave", features: "What it is like", summary: "What happens", summaryExample: "Tom finds a key and shares a secret.",
    opening: "How it begins", openingExample: "Once upon a time", count: "Drafts", seed: "Seed", dice: "Another seed", daring: "Daring", insist: "How much it insists on them", more: "More",
    length: "Longest story, in bytes", pace: "Pace", calm: "To watch", full: "As fast as it is written", begin: "Write", halt: "Stop",
    same: "The same wishes and the same seed give the same story.", underlay: "Show what surprised the model", expected: "expected", surprising: "surprising",
    emptyTitle: "An empty desk.", emptyText: "Ask for a story, and watch it being written, letter by letter, on this very machine.",
    draft: "Draft", keep: "Keep", kept: "Kept", edit: "Edit", done: "Done", goOn: "Continue", goOnHere: "Continue from the cursor", again: "Put away", copyText: "The text of draft",
    ended: "The end.", cut: "Stopped at its longest; it can go on.", halted: "Stopped.", failed: "It failed before its end.", nothing: "The model takes the story for finished here.",
    finished: "is finished", failedNow: "has failed", writing: "Writing", shelfTitle: "Stories you kept", shelfText: "They lie in this browser, nowhere else.", exportText: "Save all as text", exportJson: "Save all as JSON",
    emptyShelf: "Nothing kept yet.", onDesk: "Put on the desk", remove: "Remove", removed: "Removed.", undo: "Put it back", full_shelf: "The browser has no room for more stories. Save some and remove them.",
    trainingTitle: "How it learned", noReport: "There is no training report beside this model: a run folder has one.", limitsTitle: "What it can do, and what not",
    limit1: "It writes little stories like those it was trained on. It knows nothing of the world beyond them.",
    limit2: "It is not an assistant: it neither answers questions nor follows orders, and what it tells is made up.",
    limit3: "It may contradict itself, repeat itself, or forget a wish. Several drafts help.",
    limit4: "Nothing of what you write leaves this server, and it writes none of it down unless its operator says so.",
    forPrograms: "For programs: the API", keyTitle: "This studio has a key", keyText: "The API key, as it was shown when the server was first started", keyWrong: "That is not its key.", open: "Open",
    parameters: "Parameters", fileSize: "Its file", trainedOn: "Trained on", trainedFor: "Trained for", bpb: "Bits per byte of unseen text", context: "It looks back over", kind: "It was taught",
    k_stories: "to write stories to order", k_chat: "to converse", k_prompts: "to complete prompts", k_none: "to go on from a beginning", bytes: ["byte", "bytes"], minutes: ["minute", "minutes"], documents: ["document", "documents"], noteOf: "Note",
    f_Dialogue: "Dialogue", f_Twist: "A twist", f_BadEnding: "A bad ending", f_MoralValue: "A moral", f_Foreshadowing: "Foreshadowing", f_Conflict: "Conflict",
    unreachable: "The server does not answer. Is it still running?",
  },
  fi: {
    skip: "Siirry tarinoihin", studio: "tarinapaja", write: "Kirjoita", shelf: "Hylly", training: "Oppiminen", about: "Malli", language: "Kieli",
    look: "Ulkoasu", auto: "Autom.", light: "Vaalea", dark: "Tumma", heading: "Millainen tarina?",
    follows: "Toivo jotakin, tai jätä kaikki sattuman varaan.", continues: "Tämä malli jatkaa alusta, jonka annat; toiveita sitä ei ole opetettu noudattamaan.",
    words: "Sanat, jotka siinä on", wordsExample: "avain, tammi, rohkea", features: "Millainen se on", summary: "Mitä tapahtuu", summaryExample: "Tomi löytää avaimen ja kertoo salaisuuden.",
    opening: "Miten se alkaa", openingExample: "Olipa kerran", count: "Luonnoksia", seed: "Siemenluku", dice: "Toinen siemenluku", daring: "Rohkeus", insist: "Kuinka tiukasti ne tulevat", more: "Lisää",
    length: "Tarinan enimmäispituus tavuina", pace: "Tahti", calm: "Katseltavaksi", full: "Niin nopeasti kuin syntyy", begin: "Kirjoita", halt: "Pysäytä",
    same: "Samat toiveet ja sama siemenluku antavat saman tarinan.", underlay: "Näytä, mikä yllätti mallin", expected: "odotettu", surprising: "yllättävä",
    emptyTitle: "Tyhjä pöytä.", emptyText: "Pyydä tarina ja katso, kuinka se syntyy kirjain kirjaimelta, juuri tällä koneella.",
    draft: "Luonnos", keep: "Säilytä", kept: "Hyllyssä", edit: "Muokkaa", done: "Valmis", goOn: "Jatka", goOnHere: "Jatka kohdistimesta", again: "Pois pöydältä", copyText: "Luonnoksen teksti",
    ended: "Loppu.", cut: "Enimmäispituus tuli täyteen; tarina voi jatkua.", halted: "Pysäytetty.", failed: "Kirjoittaminen epäonnistui.", nothing: "Mallin mielestä tarina päättyy tähän.",
    finished: "on valmis", failedNow: "epäonnistui", writing: "Kirjoittaa", shelfTitle: "Säilyttämäsi tarinat", shelfText: "Ne ovat tässä selaimessa, eivät missään muualla.", exportText: "Tallenna kaikki tekstinä", exportJson: "Tallenna kaikki JSONina",
    emptyShelf: "Hylly on vielä tyhjä.", onDesk: "Nosta pöydälle", remove: "Poista", removed: "Poistettu.", undo: "Palauta", full_shelf: "Selaimeen ei mahdu enempää tarinoita. Tallenna ja poista joitakin.",
    trainingTitle: "Miten se oppi", noReport: "Tämän mallin vieressä ei ole raporttia oppimisesta: ajokansiossa sellainen on.", limitsTitle: "Mitä se osaa, ja mitä ei",
    limit1: "Se kirjoittaa pieniä tarinoita, sellaisia kuin ne, joista se oppi. Muusta maailmasta se ei tiedä mitään.",
    limit2: "Se ei ole avustaja: se ei vastaa kysymyksiin eikä tottele käskyjä, ja mitä se kertoo, on keksittyä.",
    limit3: "Se voi puhua ristiin, toistaa itseään tai unohtaa toiveen. Useampi luonnos auttaa.",
    limit4: "Mikään kirjoittamasi ei lähde tältä palvelimelta, eikä se merkitse sitä muistiin, ellei sen ylläpitäjä niin määrää.",
    forPrograms: "Ohjelmille: rajapinta", keyTitle: "Tällä pajalla on avain", keyText: "API-avain, joka näytettiin, kun palvelin ensi kerran käynnistettiin", keyWrong: "Tämä ei ole sen avain.", open: "Avaa",
    parameters: "Parametreja", fileSize: "Tiedoston koko", trainedOn: "Opetettu tekstillä", trainedFor: "Opetettu", bpb: "Bittejä tavua kohti ennen näkemättömässä tekstissä", context: "Se muistaa taaksepäin", kind: "Se opetettiin",
    k_stories: "kirjoittamaan tarinoita toiveiden mukaan", k_chat: "keskustelemaan", k_prompts: "täydentämään kehotteita", k_none: "jatkamaan alusta", bytes: ["tavu", "tavua"], minutes: ["minuutti", "minuuttia"], documents: ["teksti", "tekstiä"], noteOf: "Huomautus",
    f_Dialogue: "Vuoropuhelua", f_Twist: "Käänne", f_BadEnding: "Surullinen loppu", f_MoralValue: "Opetus", f_Foreshadowing: "Enteitä", f_Conflict: "Ristiriita",
    unreachable: "Palvelin ei vastaa. Onko se vielä käynnissä?",
  },
};

let language = localStorage.getItem("tavu-language") || (navigator.language.startsWith("fi") ? "fi" : "en");
export const t = (key) => WORDS[language][key] ?? key;
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
  for (const element of document.querySelectorAll("[data-p]")) element.placeholder = t(element.dataset.p);
  for (const element of document.querySelectorAll("[data-l]")) element.setAttribute("aria-label", t(element.dataset.l));
}
