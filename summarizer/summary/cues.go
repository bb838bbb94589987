package summary

import (
	"slices"
	"strings"
)

// The cue lists are folded (lower case, no accents, no apostrophes) and hold
// both languages together: people mix them, and neither list fires in the other
// language by chance.

// resolvedCues say by themselves that it is done.
var resolvedCues = phrases(
	"resolvido", "resolvida", "resolvidos", "resolvidas", "resolveu", "deu certo", "consertado", "consertada", "corrigido", "corrigida",
	"problema solucionado", "solucionado", "solucionada",
	"resolved", "solved", "is fixed", "was fixed", "got fixed", "been fixed", "now fixed", "all fixed", "fixed it", "fixed now", "fixed the", "its fixed", "that did it",
)

// workingCues say that something works; when and whether is up to the guards.
var workingCues = phrases(
	"funcionou", "esta funcionando", "ta funcionando", "agora funciona", "ja funciona", "funciona agora", "tudo funciona", "tudo funcionando", "funcionando agora",
	"funcionando normalmente", "funcionando perfeitamente", "voltou a funcionar", "voltou ao normal", "esta imprimindo", "agora imprime", "imprimiu", "agora abre", "agora abriu", "agora foi",
	"it works", "works now", "now works", "works again", "works fine", "all works", "everything works", "it worked", "worked now", "is working", "its working", "working now", "working again", "working fine",
	"it prints", "prints again", "prints now", "back to normal",
)

// unresolvedCues say by themselves that it is not done.
var unresolvedCues = phrases(
	"nao resolvido", "nao resolvida", "nao resolveu", "nao foi resolvido", "nao foi possivel resolver", "nao deu certo", "ainda nao", "problema continua", "continua igual", "continua sem", "continua com", "persiste", "mesmo erro",
	"not resolved", "not solved", "not fixed", "unresolved", "unsolved", "still not", "still doesnt", "still does not", "still isnt", "still cant", "still cannot", "still broken", "still fails", "still failing", "still the same", "same error", "problem remains", "problem persists", "didnt help", "did not help",
)

// brokenCues undo an earlier "it works", but alone are the issue, not its end.
var brokenCues = phrases(
	"nao funciona", "nao funcionou", "nao esta funcionando", "nao imprime", "nao abre", "parou de funcionar", "parou de novo", "voltou o erro",
	"doesnt work", "does not work", "didnt work", "did not work", "isnt working", "is not working", "not working", "stopped working", "broke again",
)

// negations before a positive cue turn it round; guards make it a condition, a
// wish, a plan or the past. Either way it is no evidence.
var (
	negations = []string{"nao", "nunca", "nem", "sem", "not", "never", "longer", "dont", "doesnt", "didnt", "isnt", "wasnt", "hasnt", "havent", "arent", "cant", "cannot", "wont", "parou", "deixou", "stopped", "quase", "almost", "hardly"}
	guards    = []string{"se", "caso", "quando", "como", "deve", "devera", "deveria", "espero", "tomara", "vai", "vou", "vamos", "ver", "veja", "talvez", "sera", "until", "ate", "acho",
		"if", "when", "whenever", "how", "should", "would", "could", "might", "may", "will", "must", "hope", "hopefully", "maybe", "unless", "whether", "see", "think", "once"}
	// near counts only just before the cue: "needs to be fixed".
	near = []string{"to", "be", "need", "needs", "precisa", "preciso", "ser"}
	past = []string{"antes", "ontem", "estava", "costumava", "before", "yesterday", "was", "were", "used", "earlier"}
)

var (
	yesWords = []string{"sim", "isso", "aham", "uhum", "yes", "yep", "yeah", "yup"}
	noWords  = []string{"nao", "no", "nope"}
)

// issueCues mark words about something that is wrong or wanted.
var issueCues = phrases(
	"nao", "erro", "problema", "parou", "travou", "travando", "trava", "lento", "lenta", "lentidao", "quebrou", "sumiu", "falha", "falhou", "preciso", "ajuda", "nao consigo", "bloqueada", "bloqueado",
	"not", "cant", "cannot", "doesnt", "wont", "isnt", "error", "problem", "issue", "broken", "stopped", "fails", "failed", "slow", "hangs", "hanging", "freezes", "frozen", "stuck", "lost", "missing", "crash", "crashes", "help", "need", "unable",
)

var greetings = []string{"oi", "ola", "bom", "boa", "dia", "tarde", "noite", "tudo", "bem", "obrigado", "obrigada", "ok", "certo", "valeu", "hi", "hello", "hey", "good", "morning", "afternoon", "evening", "thanks", "thank", "you", "sure", "yes", "sim", "no", "nao", "e", "and", "com", "voce", "fine", "all", "right"}

// followUpCues mark what is still to be done.
var followUpCues = phrases(
	"proximo passo", "proximos passos", "pendente", "pendencia", "fica pendente", "vou ligar", "ligo amanha", "retorno amanha", "vou retornar", "agendar", "agendado", "agendada", "falta instalar", "falta testar", "falta configurar", "acompanhar",
	"next step", "next steps", "follow up", "followup", "pending", "to do", "todo", "will call", "call back", "will get back", "get back to you", "scheduled", "remains to", "still to be done",
)

// issueTypes names what an issue is about by the beginnings of its words.
var issueTypes = []struct {
	key   string
	stems []string
}{
	{"printing", []string{"impress", "imprim", "printer", "printing", "toner"}},
	{"email", []string{"email", "outlook", "thunderbird", "mailbox"}},
	{"network", []string{"internet", "wifi", "vpn", "network", "conexao"}},
	{"account", []string{"senha", "password", "login", "logon"}},
	{"software", []string{"instal", "atualiz", "install", "updat", "upgrad", "licenca", "licence", "license"}},
	{"performance", []string{"lent", "trava", "travo", "slow", "freez", "frozen"}},
	{"audio-video", []string{"microfone", "microphone", "camera", "webcam", "audio"}},
	{"files", []string{"arquivo", "planilha", "pasta", "backup", "spreadsheet", "folder", "file"}},
	{"security", []string{"virus", "malware", "phishing", "ransom", "golpe", "scam"}},
}

func phrases(list ...string) [][]string {
	out := make([][]string, len(list))
	for i, p := range list {
		out[i] = strings.Fields(p)
	}
	return out
}

// find returns where the first of the phrases begins in w, or -1.
func find(w []string, ps [][]string) int {
	for i := range w {
		for _, p := range ps {
			if len(w)-i >= len(p) && slices.Equal(w[i:i+len(p)], p) {
				return i
			}
		}
	}
	return -1
}

func anyOf(w, list []string) bool {
	return slices.ContainsFunc(w, func(s string) bool { return slices.Contains(list, s) })
}

// cue is what one message says about the outcome.
type cue int

const (
	silent cue = iota
	resolved
	unresolved
	broken // not-resolved only after somebody had said that it works
)

// outcomeCue reads one message: its last clause that says anything counts.
func outcomeCue(text string) cue {
	said := silent
	for _, c := range clauses(text) {
		if c.question {
			continue
		}
		if s := clauseCue(c.words); s != silent {
			said = s
		}
	}
	return said
}

func clauseCue(w []string) cue {
	if find(w, unresolvedCues) >= 0 {
		return unresolved
	}
	if i := find(w, brokenCues); i >= 0 && !anyOf(w[:i], guards) {
		return broken
	}
	if i := find(w, resolvedCues); i >= 0 && meant(w, i) {
		return resolved
	}
	if i := find(w, workingCues); i >= 0 && meant(w, i) && !anyOf(w, past) {
		return resolved
	}
	if len(w) == 1 && (w[0] == "works" || w[0] == "fixed" || w[0] == "funciona") {
		return resolved
	}
	return silent
}

// meant tells whether nothing before the cue at i turns it round.
func meant(w []string, i int) bool {
	return !anyOf(w[:i], guards) && !anyOf(w[max(0, i-4):i], negations) && !anyOf(w[max(0, i-3):i], near)
}

// asksOutcome tells whether a message asks, without a "not", if it works.
func asksOutcome(text string) bool {
	return slices.ContainsFunc(clauses(text), func(c clause) bool {
		if !c.question || anyOf(c.words, negations) {
			return false
		}
		return find(c.words, resolvedCues) >= 0 || find(c.words, workingCues) >= 0 ||
			find(c.words, phrases("funciona", "did it work", "does it work", "is it working", "is it working now", "is it fixed", "fixed")) >= 0
	})
}

// answer reads a bare yes or no.
func answer(text string) cue {
	w := words(text)
	if len(w) == 0 || len(w) > 5 {
		return silent
	}
	switch {
	case slices.Contains(yesWords, w[0]) && !anyOf(w[1:], negations) && !slices.Contains(w, "mas") && !slices.Contains(w, "but"):
		return resolved
	case slices.Contains(noWords, w[0]) && (len(w) == 1 || slices.Contains([]string{"it", "not", "still", "sorry", "nao", "ainda", "funcionou", "resolveu"}, w[1])):
		return unresolved
	}
	return silent
}

// typesOf names what words are about, in the order of the table.
func typesOf(text string) []string {
	// "e-mail" and "wi-fi" are one word here.
	w := words(strings.NewReplacer("e-mail", "email", "E-mail", "email", "E-Mail", "email", "wi-fi", "wifi", "Wi-Fi", "wifi", "Wi-fi", "wifi").Replace(text))
	var out []string
	for _, t := range issueTypes {
		if slices.ContainsFunc(w, func(s string) bool {
			return slices.ContainsFunc(t.stems, func(stem string) bool { return strings.HasPrefix(s, stem) })
		}) {
			out = append(out, t.key)
		}
	}
	return out
}

// IsType tells whether key is the key of a label that the rules give.
func IsType(key string) bool {
	for _, t := range issueTypes {
		if t.key == key {
			return true
		}
	}
	return false
}

// sureIssue is the score from which a message is taken for the issue at once.
const sureIssue = 4

// issueScore rates a message as a statement of the issue; 0: it is none.
func issueScore(text, by string) int {
	w := words(text)
	content := 0
	for _, s := range w {
		if !slices.Contains(greetings, s) {
			content++
		}
	}
	said := outcomeCue(text)
	if content < 2 || said == resolved || (said == unresolved && (by != "person" || content < 3)) {
		return 0
	}
	score := 1
	if find(w, issueCues) >= 0 {
		score += 3
	}
	if len(typesOf(text)) > 0 {
		score++
	}
	if content >= 4 {
		score++
	}
	return score
}
