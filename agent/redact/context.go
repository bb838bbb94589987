package redact

import (
	"strings"
	"unicode"
)

// How people write passwords in Portuguese, English and Spanish: "a senha do
// wi-fi é Gato2024", "your PIN 4711", "código de acesso: 839201".

// contextWords are the literals of which one is in every word below: the scan
// looks for them.
var contextWords = []string{"senha", "password", "passwd", "pwd", "passphrase", "contrasena", "pin", "otp", "2fa", "mfa",
	"token", "digo", "code", "chave", "key", "clave", "secret", "segredo", "pass", "cvv", "cvc"}

// strong words are said of secrets; after "é", ":" or the like whatever follows
// is one, otherwise what looks like one.
var strong = set("senha senhas password passwords passwd pwd passphrase passcode contraseña contrasena pin otp 2fa mfa")

// weak words are also said of other things: only what looks like a secret goes,
// and nothing where another word says what sort of code or key it is.
var weak = set("token código codigo code chave key clave secret segredo pass cvv cvc")

// others after a weak word say that it is something else.
var others = set("erro error errores barras barra produto product postal zip cep chamado ticket pedido order cliente customer " +
	"retorno return status saída saida exit fonte source review http licença fenda inglesa página page country area")

// assigns are words after which the value comes.
var assigns = set("é eh is es era foi was será sera : = -> => :=")

// fillers may stand between the word and the value.
var fillers = set("a o as os the la el do da de del d' of for para no na em en in my minha meu mi sua seu your tu su nova novo new nueva " +
	"atual current wifi wi-fi rede email e-mail conta acesso access login admin usuário usuario user aqui here - –")

// benign words follow "senha é" without being one.
var benign = set("required obrigatória obrigatoria obrigatório necessária necesaria necessary needed incorrect incorreta incorrecta inválida invalida invalid " +
	"wrong errada expired expirada vencida correct correta correcta weak fraca débil strong forte fuerte same mesma misma changed alterada cambiada " +
	"not não nao no muito very too empty vazia reset redefinida blocked bloqueada manager")

func set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// word is a stretch between blanks; core is it without punctuation, lower case.
type word struct {
	from, to int
	core     string
	colon    bool // ends with : or =
	stop     bool // ends a sentence
}

func contextual(s string) []span {
	ws := words(s)
	var out []span
	for i := 0; i < len(ws); i++ {
		isStrong := strong[ws[i].core]
		if !isStrong && !weak[ws[i].core] || ws[i].stop {
			continue
		}
		if !isStrong && i > 0 && others[ws[i-1].core] { // "error code"
			continue
		}
		at := target(s, ws, i, isStrong)
		if at < 0 {
			continue
		}
		last := at
		// "senha: Gato 2024": what follows at once and looks like a part of it.
		for last+1 < len(ws) && last < at+2 && !ws[last].stop && secretive(s[ws[last+1].from:ws[last+1].to]) {
			last++
		}
		from, to := trimmed(s, ws[at].from, ws[last].to)
		if from < to {
			out = append(out, span{from, to, MarkSecret})
		}
		i = last
	}
	return out
}

// target is the index of the word to remove for the keyword at i, or -1.
func target(s string, ws []word, i int, isStrong bool) int {
	// Does an assignment follow within four words?
	assigned, at := ws[i].colon, i+1
	for j := i + 1; !assigned && j < len(ws) && j <= i+5; j++ {
		if !isStrong && others[ws[j].core] || benign[ws[j].core] && j == i+1 {
			return -1
		}
		if assigns[ws[j].core] || assigns[s[ws[j].from:ws[j].to]] || ws[j].colon {
			assigned, at = true, j+1
		}
		if ws[j].stop {
			break
		}
	}
	for skipped := 0; at < len(ws) && skipped < 4; skipped++ {
		text := s[ws[at].from:ws[at].to]
		switch {
		case assigns[ws[at].core] || assigns[text]:
			at++
			continue
		case !isStrong && others[ws[at].core]:
			return -1
		case secretive(text):
			return at
		case fillers[ws[at].core] || ws[at].core == "":
			at++
			continue
		}
		if assigned && isStrong && !benign[ws[at].core] {
			return at
		}
		return -1
	}
	return -1
}

// secretive tells whether a word looks like a password or a code: at least four
// characters, a digit among them, or a sign in the middle of letters.
func secretive(text string) bool {
	core := strings.TrimFunc(text, func(r rune) bool { return strings.ContainsRune(`"'()[]{}<>,;:.!?`, r) })
	if len([]rune(core)) < 4 || strings.HasPrefix(strings.ToLower(core), "0x") || strings.HasPrefix(core, "/") || strings.Contains(core, "://") {
		return false
	}
	digits, signs := 0, 0
	for _, r := range core {
		switch {
		case unicode.IsDigit(r):
			digits++
		case strings.ContainsRune("@#$%&*!+=^~?", r):
			signs++
		}
	}
	return digits > 0 || signs > 0
}

func words(s string) []word {
	var ws []word
	from := -1
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != ' ' {
			if from < 0 {
				from = i
			}
			continue
		}
		if from >= 0 {
			w := s[from:i]
			ws = append(ws, word{
				from: from, to: i,
				core:  strings.ToLower(strings.TrimFunc(w, unicode.IsPunct)),
				colon: strings.HasSuffix(w, ":") || strings.HasSuffix(w, "="),
				stop:  strings.HasSuffix(w, ".") || strings.HasSuffix(w, ";") || strings.HasSuffix(w, "?"),
			})
			from = -1
		}
	}
	return ws
}

// trimmed leaves quotes and a sentence's last sign outside.
func trimmed(s string, from, to int) (int, int) {
	for from < to && strings.ContainsRune(`"'(`, rune(s[from])) {
		from++
	}
	for to > from && strings.ContainsRune(`"').,;`, rune(s[to-1])) {
		to--
	}
	return from, to
}
