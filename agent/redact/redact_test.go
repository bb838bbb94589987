package redact_test

import (
	"bufio"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"aval/agent/event"
	"aval/agent/redact"

	"pgregory.net/rapid"
)

func TestText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		// Cards: numbers that the networks publish for tests.
		{"cartão 4111111111111111 ok", "cartão [card] ok"},
		{"4111 1111 1111 1111", "[card]"},
		{"4111-1111-1111-1111, val 12/29", "[card], val 12/29"},
		{"4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "[card]"},
		{"3782 822463 10005 amex", "[card] amex"},
		{"12 5555 5555 5555 4444 99", "12 [card] 99"},
		{"４１１１　１１１１　１１１１　１１１１", "[card]"},
		{"٤١١١١١١١١١١١١١١١", "[card]"},
		{"4111\u200b1111\u200b1111\u200b1111", "[card]"},
		// CPF and CNPJ, the one with letters is the Receita's own example.
		{"CPF 111.444.777-35.", "CPF [CPF]."},
		{"cpf=11144477735", "cpf=[CPF]"},
		{"111 444 777 35", "[CPF]"},
		{"CNPJ 11.222.333/0001-81", "CNPJ [CNPJ]"},
		{"11222333000181", "[CNPJ]"},
		{"12.ABC.345/01DE-35 novo", "[CNPJ] novo"},
		{"12abc34501de35", "[CNPJ]"},
		// E-mail.
		{"Maria <maria.silva@example.com.br> - Correio", "Maria <[e-mail]> - Correio"},
		{"joão@exámple.com", "[e-mail]"},
		// What people say and write.
		{"minha senha é Gato2024", "minha senha é [secret]"},
		{"A senha do wi-fi é: casa#123.", "A senha do wi-fi é: [secret]."},
		{"senha: abacaxi", "senha: [secret]"},
		{"your password is hunter", "your password is [secret]"},
		{"PIN 4711", "PIN [secret]"},
		{"código de acesso: 839201", "código de acesso: [secret]"},
		{"la contraseña es Luna!7", "la contraseña es [secret]"},
		{"use o token 55AB-77CD aqui", "use o token [secret] aqui"},
		{"senha do computador da Maria: Gato 2024", "senha do computador da Maria: [secret]"},
		// Command lines.
		{"mysql -u root -pS3nha base", "mysql -u root -p[secret] base"},
		{"mysql -u root --password=S3nha base", "mysql -u root --password=[secret] base"},
		{`tool --password "a b c" --verbose`, "tool --password [secret] --verbose"},
		{"PGPASSWORD=abc psql -h db", "PGPASSWORD=[secret] psql -h db"},
		{"curl -u maria:Gato https://example.com", "curl -u maria:[secret] https://example.com"},
		{"curl -H 'Authorization: Bearer abc.def-ghi' x", "curl -H 'Authorization: Bearer [token]' x"},
		{"sshpass -p abc ssh host", "sshpass -p [secret] ssh host"},
		{`net use Z: \\srv\dados Gato1 /user:maria`, `net use Z: \\srv\dados [secret] /user:maria`},
		{"cmdkey /add:srv /user:maria /pass:abc", "cmdkey /add:srv /user:maria /pass:[secret]"},
		{"echo Gato | sudo -S ls", "echo [secret] | sudo -S ls"},
		{`{"user":"maria","password":"a b"}`, `{"user":"maria","password":[secret]}`},
		{"https://maria:Gato@example.com/x", "https://[secret]@example.com/x"},
		{"https://example.com/?api_key=abc&x=1", "https://example.com/?api_key=[secret]&x=1"},
		// Beside those that only look something up (testdata/negatives.txt). Planted, each
		// seen to fail here: any word before "get secret", getent anywhere before, the
		// program passwd anywhere in a line, -file anywhere in an option, a value that is
		// an option.
		{"passwd: x", "passwd: [secret]"},
		{"passwd is hunter2", "passwd is [secret]"},
		{"passwd is abacaxi", "passwd is [secret]"},
		{"passwd Gato2024", "passwd [secret]"},
		{"root passwd abacaxi", "root passwd [secret]"},
		{"getent passwd root; the password is abacaxi", "getent passwd root; the password is [secret]"},
		{"kubectl get secret password is Gato2024", "kubectl get secret password is [secret]"},
		{"kubectl get pods secret Gato2024", "kubectl get pods secret [secret]"},
		{"get secret Gato2024", "get secret [secret]"},
		{"tool --password-file x --token abc", "tool --password-file x --token [secret]"},
		{"tool --password-stdin --token abc", "tool --password-stdin --token [secret]"},
		{"tool --file-password abc", "tool --file-password [secret]"},
		{"tool --password -Gato", "tool --password [secret]"},
		// Tokens and keys.
		{"ghp_0123456789abcdefghijABCDEFGHIJ012345", "[token]"},
		{"AKIAIOSFODNN7EXAMPLE", "[token]"},
		{"x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_1 y", "x [token] y"},
		{"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY----- rest", "[key] rest"},
		{"-----BEGIN RSA PRIVATE KEY----- cut off", "[key]"},
		// What a terminal or a forger of lines would make of it.
		{"a\r\nb\x00\x1b[31mc\x1b[0m\u202ed\u2066", "a bcd"},
		{"\x1b]0;title\x07text", "text"},
		{"bad \xff\xfe utf-8", "bad \uFFFD utf-8"},
		{"", ""},
	} {
		if got := redact.Text(c.in); got != c.want {
			t.Errorf("Text(%q)\n got %q\nwant %q", c.in, got, c.want)
		}
	}
}

// TestHardNegatives: texts of ordinary work stay as they are. One per line.
func TestHardNegatives(t *testing.T) {
	f, err := os.Open("testdata/negatives.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for sc := bufio.NewScanner(f); sc.Scan(); n++ {
		if got := redact.Text(sc.Text()); got != sc.Text() {
			t.Errorf("\n was %q\n got %q", sc.Text(), got)
		}
	}
	if n < 60 {
		t.Fatalf("only %d texts", n)
	}
}

// TestNoCardSurvives writes cards in every grouping, between words that say nothing,
// and looks for their digits in what is left. (With maxGap set to 1 it fails within a
// few draws; without cardOver within some thousand.)
func TestNoCardSurvives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := card(t)
		text := rapid.StringMatching(`([fgjkqzãé,:]{0,6} ){0,3}`).Draw(t, "before") +
			spaced(t, digits) +
			rapid.StringMatching(`( [fgjkqzãé,:]{0,6}){0,3}`).Draw(t, "after")
		got := redact.Text(text)
		if left := onlyDigits(got); len(left) > 0 && !othersGroups.MatchString(text) {
			t.Fatalf("%q became %q", text, got)
		}
	})
}

// othersGroups are those of a CNPJ and of a French NIR: digits in them that fail
// that one's check are no card's either.
var othersGroups = regexp.MustCompile(`(^|\D)(\d{2}\D+\d{3}\D+\d{3}\D+\d{4}\D+\d{2}|\d\D+(\d{2}\D+){3}(\d{3}\D+){2}\d{2})(\D|$)`)

// TestCardsAndOthers: nothing is left of a card of which a part looks like something
// else. Planted, each alone: without cardOver, without figures, without the digits
// behind an IBAN.
func TestCardsAndOthers(t *testing.T) {
	for text, want := range map[string]string{
		"22210000000 00.0.0.9":                       "[card]",
		"4000–0 0.00.0.000 0002":                     "[card]",
		"4111 1.1.1.1 1111111 1":                     "[card]",
		"10.0.0.9 10.1.2.3":                          "[IP] [IP]",
		"10.0.0.9 4111111111111111":                  "[IP] [card]",
		"listen 8080 10.0.0.9:443":                   "listen 8080 [IP]:443",
		"be 4724140321802200":                        "[IBAN]",
		"pw 4000 0000 0000 0002":                     "pw [secret]",
		"pw 2221 - 0000 - 0000 - 0009, 3 tentativas": "pw [secret], 3 tentativas",
	} {
		if got := redact.Text(text); got != want {
			t.Errorf("%q became %q, not %q", text, got, want)
		}
	}
}

func card(t *rapid.T) string {
	prefix := rapid.SampledFrom([]string{"4", "51", "55", "2221", "34", "37", "36", "6011", "65", "3528", "62", "5067", "606282"}).Draw(t, "issuer")
	n := map[string]int{"34": 15, "37": 15, "36": 14}[prefix]
	if n == 0 {
		n = 16
	}
	d := []byte(prefix)
	for len(d) < n-1 {
		d = append(d, byte('0'+rapid.IntRange(0, 9).Draw(t, "digit")))
	}
	for c := byte('0'); c <= '9'; c++ {
		if luhn(append(d[:n-1:n-1], c)) {
			return string(append(d[:n-1:n-1], c))
		}
	}
	panic("no check digit")
}

// luhn is written apart from the one under test, the other way round.
func luhn(d []byte) bool {
	sum, double := 0, len(d)%2 == 0
	for _, c := range d {
		v := int(c - '0')
		if double {
			v = v/5 + v*2%10
		}
		sum += v
		double = !double
	}
	return sum%10 == 0
}

func spaced(t *rapid.T, digits string) string {
	var b strings.Builder
	sep := rapid.SampledFrom([]string{"", " ", "-", ".", "  ", " - ", "\u00a0", "\u2009", "–", "\u200b", "/"})
	same := sep.Draw(t, "separator")
	how := rapid.IntRange(0, 2).Draw(t, "grouping")
	for i, c := range digits {
		if i > 0 {
			switch {
			case how == 0 && i%4 == 0, how == 1:
				b.WriteString(same)
			case how == 2 && rapid.Bool().Draw(t, "gap"):
				b.WriteString(sep.Draw(t, "separator here"))
			}
		}
		b.WriteRune(c)
	}
	return b.String()
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

var pieces = []string{"senha", "password", ":", "=", " ", "é", "4111 1111 1111 1111", "maria@example.com", "[card]", "[token]", "[", "]",
	"--password", "-p", "mysql ", "11144477735", "12.ABC.345/01DE-35", "https://a:b@c", "Bearer ", "eyJabcdef.ghijkl", "\x1b[31m", "\u200b",
	"\n", "1", "23", "token", "x9", "\"", "'", "código", "-----BEGIN KEY-----", "１２", "\u0301", "ghp_0123456789abcdefghij"}

// TestTwiceIsOnce: a second redaction changes nothing, and limits hold.
func TestTwiceIsOnce(t *testing.T) {
	d, _ := event.Define(event.WindowFocused)
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 40).Draw(t, "pieces"), "")
		once := redact.Text(text)
		if twice := redact.Text(once); twice != once {
			t.Fatalf("%q\nonce  %q\ntwice %q", text, once, twice)
		}
		f := fields(t, d, map[string]string{"title": text, "unknown": text})
		if len(f) != 1 || len(f["title"]) > 300 || !utf8.ValidString(f["title"]) {
			t.Fatalf("fields %q", f)
		}
		if again := fields(t, d, f); again["title"] != f["title"] {
			t.Fatalf("fields %q then %q", f, again)
		}
	})
}

// fields redacts with a redactor of its own.
func fields(t interface {
	Helper()
	Fatal(...any)
}, d event.Def, in map[string]string) map[string]string {
	t.Helper()
	r, err := redact.New(redact.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.Fields(d, in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFields(t *testing.T) {
	d, _ := event.Define(event.FileTransferred)
	in := map[string]string{"name": strings.Repeat("ã", 200) + ".pdf", "direction": "to-computer", "size": "12\n", "secret": "x"}
	got := fields(t, d, in)
	if len(got["name"]) != 300 || !utf8.ValidString(got["name"]) || got["direction"] != "to-computer" || got["size"] != "12" || got["secret"] != "" {
		t.Errorf("got %q", got)
	}
	if in["size"] != "12\n" {
		t.Error("the caller's map was changed")
	}
	// A mark at the limit goes whole; a secret behind the limit was never in.
	got = fields(t, d, map[string]string{"name": strings.Repeat("a", 294) + " 4111111111111111"})
	if got["name"] != strings.Repeat("a", 294) {
		t.Errorf("got %q", got["name"][280:])
	}
}

// TestLong: what is too long to be looked at is not kept either.
func TestLong(t *testing.T) {
	filler := strings.Repeat("palavra ", 1022) // 8176 bytes
	if got := redact.Text(filler + " 4111 1111 1111 1111 fim"); strings.ContainsAny(got, "0123456789") || strings.Contains(got, "fim") {
		t.Errorf("end is %q", got[len(got)-40:])
	}
	if got := redact.Text(strings.Repeat("x", 100_000)); got != redact.MarkRemoved {
		t.Errorf("got %d bytes", len(got))
	}
}

func TestProfile(t *testing.T) {
	if p := redact.Profile(); !strings.HasPrefix(p, "2-") || len(p) != 14 {
		t.Errorf("profile %q", p)
	}
}

func FuzzText(f *testing.F) {
	for _, p := range pieces {
		f.Add(p)
	}
	f.Add("minha senha é Gato2024 e o cartão 4111-1111-1111-1111")
	f.Add(strings.Repeat("4", 40) + strings.Repeat(" 1", 40))
	f.Fuzz(func(t *testing.T, s string) {
		once := redact.Text(s)
		if twice := redact.Text(once); twice != once {
			t.Fatalf("once %q twice %q", once, twice)
		}
		if !utf8.ValidString(once) || strings.ContainsAny(once, "\r\n\x1b\x00\u202e\u200b") {
			t.Fatalf("not clean: %q", once)
		}
		if strings.Contains(once, "4111111111111111") {
			t.Fatalf("card in %q", once)
		}
	})
}

// TestOrdinaryAllocatesNothing: most texts hold nothing, and cost no memory. (Planted: a
// list of groups on the heap in phoneAt.)
func TestOrdinaryAllocatesNothing(t *testing.T) {
	for _, s := range []string{"Relatório de vendas - terceiro trimestre.xlsx - LibreOffice Calc", "2026-11-22 14:30:55 INFO serviço iniciado em 1.2 s",
		"Nota fiscal 000.123.456 emitida para o cliente", "Esqueci minha senha - Portal do Colaborador", "Error code: 1603 while installing the package"} {
		if n := testing.AllocsPerRun(100, func() { redact.Text(s) }); n > 0 {
			t.Errorf("%q costs %v allocations", s, n)
		}
	}
}

func BenchmarkTitle(b *testing.B) {
	const s = "Relatório de vendas - terceiro trimestre.xlsx - LibreOffice Calc"
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		redact.Text(s)
	}
}

func BenchmarkCommand(b *testing.B) {
	const s = "mysql -h db.example.com -u root --password=S3nha -e 'select * from clientes'"
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		redact.Text(s)
	}
}
