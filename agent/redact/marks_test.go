package redact_test

import (
	"strings"
	"testing"

	"aval/agent/event"
	"aval/agent/redact"
)

// TestKinds: one of each kind, from the documents of those who give them out or
// made with their check digits.
func TestKinds(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"IBAN DE89 3704 0044 0532 0130 00 do fornecedor", "IBAN [IBAN] do fornecedor"},
		{"gb29nwbk60161331926819", "[IBAN]"},
		{"PIS 120.14375.48-0", "PIS [PIS]"},
		{"título 0043 5687 0906", "título [título]"},
		{"SSN 078-05-1120", "SSN [id]"},
		{"my ITIN is 912-70-1234", "my ITIN is [id]"},
		{"NHS number 943 476 5919", "NHS number [id]"},
		{"NI number AB 12 34 56 C", "NI number [id]"},
		{"DNI 12345678-Z", "DNI [id]"},
		{"NIE X1234567L", "NIE [id]"},
		{"Steuer-ID 86 095 742 719", "Steuer-ID [id]"},
		{"RSSMRA85M01H501Q", "[id]"},
		{"BSN 111222333", "BSN [id]"},
		{"PESEL 44051401359", "PESEL [id]"},
		{"NIP 106-00-00-062", "NIP [id]"},
		{"マイナンバー 1234 5678 9018", "マイナンバー [id]"},
		{"11010519491231002X", "[id]"},
		{"1 84 12 76 451 089 46", "[id]"},
		{"Personalausweis T220001293", "Personalausweis [id]"},
		{"ligue (11) 91234-5678 hoje", "ligue [phone] hoje"},
		{"11 91234-5678", "[phone]"},
		{"+55 (11) 3003-4000", "[phone]"},
		{"+44 20 7946 0958", "[phone]"},
		{"ping -c 4 192.168.0.1", "ping -c 4 [IP]"},
		{"http://10.0.0.138:8080/admin", "http://[IP]:8080/admin"},
		{"2001:db8::8a2e:370:7334", "[IP]"},
		{"MAC 00:1A:2B:3C:4D:5E", "MAC [MAC]"},
		{"001a.2b3c.4d5e", "[MAC]"},
		{"maria (at) example (dot) com", "[e-mail]"},
		{"maria arroba example ponto com", "[e-mail]"},
		{"4111 1111 1111 l111", "[card]"},
		{"СPF 111.444.777-З5", "CPF [CPF]"}, // Cyrillic
	} {
		if got := redact.Text(c.in); got != c.want {
			t.Errorf("Text(%q)\n got %q\nwant %q", c.in, got, c.want)
		}
	}
}

// TestChat: secrets over several lines. (Without the state between lines the
// bare values stay.)
func TestChat(t *testing.T) {
	for name, c := range map[string][][2]string{
		"announced": {{"a senha é", "a senha é"}, {"Gato2024", "[secret]"}, {"pronto", "pronto"}},
		"asked":     {{"qual é a senha do wi-fi?", "qual é a senha do wi-fi?"}, {"um momento", "um momento"}, {"abacaxi", "[secret]"}, {"obrigado", "obrigado"}},
		"english":   {{"what's your password?", "what's your password?"}, {"hunter two", "[secret]"}},
		"spanish":   {{"dame la contraseña", "dame la contraseña"}, {"es Luna!7", "es [secret]"}},
		"never":     {{"a impressora não imprime", "a impressora não imprime"}, {"abacaxi", "abacaxi"}},
		"key": {{"-----BEGIN RSA PRIVATE KEY-----", "[key]"}, {"MIIEowIBAAKCAQEAr4x0Zm9vYmFyYmF6cXV4", "[key]"}, {"um momento", "um momento"},
			{"Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0", "[key]"}, {"Zg==", "[key]"}, {"-----END RSA PRIVATE KEY----- pronto", "[key] pronto"}, {"abacaxi", "abacaxi"}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := redact.New(redact.Options{})
			if err != nil {
				t.Fatal(err)
			}
			d, _ := event.Define(event.ChatMessage)
			for _, l := range c {
				got, err := r.Fields(d, map[string]string{"text": l[0]})
				if err != nil || got["text"] != l[1] {
					t.Errorf("%q became %q, want %q (%v)", l[0], got["text"], l[1], err)
				}
			}
		})
	}
}

func TestNames(t *testing.T) {
	r, err := redact.New(redact.Options{Names: []string{"Ana Conceição", "root", "Suporte", "Maria da Silva", "maria"}})
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"Ana Conceição chegou":           "[name-1] chegou",
		"ana conceicao chegou":           "[name-1] chegou",
		"fale com Conceição, por favor":  "fale com [name-1], por favor",
		"maria@notebook: ~":              "[name-3]@notebook: ~",
		"/home/maria/x":                  "/home/[name-3]/x",
		"Sra. Silva e MARIA DA SILVA":    "Sra. [name-2] e [name-2]",
		"mariana e silvana foram embora": "mariana e silvana foram embora",
		"sudo su root; Suporte remoto":   "sudo su root; Suporte remoto",
	} {
		got, err := r.Text(in)
		if err != nil || got != want {
			t.Errorf("%q became %q, want %q (%v)", in, got, want, err)
		}
		if again, _ := r.Text(got); again != got {
			t.Errorf("%q then became %q", got, again)
		}
	}
}

// TestPatterns: a company adds rules, within limits, and takes none away.
func TestPatterns(t *testing.T) {
	r, err := redact.New(redact.Options{Patterns: []string{`PRJ-\d{4}`, `(?i)projeto \w+`}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Text("prj PRJ-1234 do Projeto Lua, cpf 111.444.777-35"); err != nil || got != "prj [company] do [company], cpf [CPF]" {
		t.Errorf("%q %v", got, err)
	}
	for _, bad := range []string{"", "a*", `(x`, `(?=x)`, strings.Repeat("x", redact.MaxPattern+1), `((a{1,500}b?){1,2}){1,9}`, `^|x`} {
		if _, err := redact.New(redact.Options{Patterns: []string{bad}}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if _, err := redact.New(redact.Options{Patterns: make([]string, redact.MaxPatterns+1)}); err == nil {
		t.Error("too many were taken")
	}
}
