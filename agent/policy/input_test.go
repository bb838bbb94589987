package policy_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"aval/agent/consent"
	"aval/agent/policy"
)

const goodLine = `{"direction":"outgoing","log_sessions":true,"outgoing":"all","module_enabled":false,"incoming":"off","incoming_enforced":false,"managed_by_requester":false,"policy_state":"none","reporting":"unset","insights":"unset","insights_enforced":false,"access_control":"unset","access_control_enforced":false,"local":"unset","desktop":"available"}`

const (
	askLine = `{"verdict":"ask","basis":"","reason":"must-confirm","notice":false}`
	badLine = `{"verdict":"deny","basis":"","reason":"bad-input","notice":false}`
)

func TestDecodeInput(t *testing.T) {
	in, err := policy.DecodeInput([]byte(" \t" + goodLine + "\r"))
	if err != nil {
		t.Fatal(err)
	}
	if in.Direction != consent.Outgoing || !in.LogSessions || in.Desktop != consent.DesktopAvailable || in.ModuleEnabled {
		t.Errorf("%+v", in)
	}
	escaped, err := policy.DecodeInput([]byte(strings.Replace(goodLine, "direction", `d\u0069rection`, 1)))
	if err != nil || escaped != in {
		t.Errorf("%v, %+v", err, escaped)
	}
	raw, err := json.Marshal(in)
	if err != nil || string(raw) != goodLine {
		t.Errorf("%s", raw)
	}
}

// badLines are no Input, each for one reason.
func badLines() map[string]string {
	swap := func(from, to string) string { return strings.Replace(goodLine, from, to, 1) }
	return map[string]string{
		"empty":           "",
		"blank":           "  ",
		"no JSON":         "hello",
		"cut":             goodLine[:len(goodLine)-1],
		"array":           "[" + goodLine + "]",
		"text":            `"direction"`,
		"null":            "null",
		"two objects":     goodLine + goodLine,
		"words after it":  goodLine + " x",
		"missing":         swap(`"log_sessions":true,`, ""),
		"empty object":    "{}",
		"unknown":         swap("{", `{"extra":true,`),
		"twice":           swap("{", `{"direction":"outgoing",`),
		"twice, bool":     swap("{", `{"log_sessions":true,`),
		"other case":      swap(`"direction"`, `"Direction"`),
		"both cases":      swap("{", `{"Direction":"outgoing",`),
		"null value":      swap(`"log_sessions":true`, `"log_sessions":null`),
		"null text":       swap(`"outgoing":"all"`, `"outgoing":null`),
		"text for bool":   swap(`"log_sessions":true`, `"log_sessions":"true"`),
		"number for bool": swap(`"log_sessions":true`, `"log_sessions":1`),
		"bool for text":   swap(`"outgoing":"all"`, `"outgoing":true`),
		"number for text": swap(`"outgoing":"all"`, `"outgoing":7`),
		"list for text":   swap(`"outgoing":"all"`, `"outgoing":["all"]`),
		"object for text": swap(`"outgoing":"all"`, `"outgoing":{"all":true}`),
		"comma at end":    swap(`"available"}`, `"available",}`),
		"byte order mark": "\ufeff" + goodLine,
		"not UTF-8":       swap(`"outgoing":"all"`, "\"outgoing\":\"a\xff\""),
		"single quotes":   strings.ReplaceAll(goodLine, `"`, `'`),
	}
}

func TestDecodeInputRefuses(t *testing.T) {
	for name, line := range badLines() {
		if in, err := policy.DecodeInput([]byte(line)); err == nil || in != (consent.Input{}) {
			t.Errorf("%s: %v, %+v", name, err, in)
		}
	}
}

func TestEncodeDecision(t *testing.T) {
	got := string(policy.EncodeDecision(consent.Decision{Verdict: consent.Allow, Basis: consent.BasisEnforcedPolicy, Reason: consent.ReasonAllowedByPolicy, Notice: true}))
	if want := `{"verdict":"allow","basis":"enforced-policy","reason":"allowed-by-policy","notice":true}`; got != want {
		t.Errorf("%s", got)
	}
}

func explain(t *testing.T, r io.Reader) []string {
	t.Helper()
	var out bytes.Buffer
	if err := policy.Explain(r, &out); err != nil {
		t.Fatal(err)
	}
	if out.Len() == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

func TestExplain(t *testing.T) {
	long := strings.Repeat(" ", policy.MaxLine)
	for name, c := range map[string]struct {
		give string
		want []string
	}{
		"nothing":             {"", nil},
		"one":                 {goodLine + "\n", []string{askLine}},
		"no line feed at end": {goodLine + "\n" + goodLine, []string{askLine, askLine}},
		"CR LF":               {goodLine + "\r\n" + goodLine + "\r\n", []string{askLine, askLine}},
		"empty lines count":   {"\n" + goodLine + "\n\n", []string{badLine, askLine, badLine}},
		"bad between good":    {goodLine + "\nx\n" + goodLine, []string{askLine, badLine, askLine}},
		"value not in list":   {strings.Replace(goodLine, "outgoing", "sideways", 1) + "\n", []string{badLine}},
		"longest line":        {long[:policy.MaxLine-len(goodLine)] + goodLine + "\n" + goodLine, []string{askLine, askLine}},
		"over-long line":      {long[:policy.MaxLine-len(goodLine)+1] + goodLine + "\n" + goodLine, []string{badLine, askLine}},
		"far too long":        {strings.Repeat(long, 5) + "\n" + goodLine, []string{badLine, askLine}},
		"over-long at end":    {goodLine + "\n" + long + " ", []string{askLine, badLine}},
	} {
		for kind, r := range map[string]io.Reader{"whole": strings.NewReader(c.give), "half": iotest.HalfReader(strings.NewReader(c.give))} {
			if got := explain(t, r); strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("%s (%s): %q", name, kind, got)
			}
		}
	}
	for name, line := range badLines() {
		if got := explain(t, strings.NewReader(line+"\n"+goodLine)); len(got) != 2 || got[0] != badLine || got[1] != askLine {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestExplainAnswersAtOnce: an answer does not wait for the next line.
func TestExplainAnswersAtOnce(t *testing.T) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- policy.Explain(inR, outW); outW.Close() }()
	answers := bufio.NewReader(outR)
	for range 3 {
		if _, err := io.WriteString(inW, goodLine+"\n"); err != nil {
			t.Fatal(err)
		}
		if got, err := answers.ReadString('\n'); err != nil || got != askLine+"\n" {
			t.Fatalf("%q %v", got, err)
		}
	}
	inW.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestExplainErrors(t *testing.T) {
	broken := errors.New("broken")
	var out bytes.Buffer
	if err := policy.Explain(io.MultiReader(strings.NewReader(goodLine+"\nhalf"), iotest.ErrReader(broken)), &out); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if out.String() != askLine+"\n" {
		t.Errorf("answered %q: only what was read whole is answered", out.String())
	}
	r, w := io.Pipe()
	r.CloseWithError(broken)
	if err := policy.Explain(strings.NewReader(goodLine+"\n"), w); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// FuzzExplain: one answer a line, always a decision, and the lenient decoder of
// the standard library never knows better that a line is no Input. To see it
// fail, decode with json.Unmarshal in DecodeInput.
func FuzzExplain(f *testing.F) {
	f.Add([]byte(goodLine + "\n" + goodLine))
	f.Add([]byte(strings.NewReplacer("direction", `d\u0069rection`, "outgoing", `\u006futgoing`, `:"none"`, ` : "no\"ne\\" `).Replace(goodLine)))
	for _, l := range badLines() {
		f.Add([]byte(l + "\n" + goodLine))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var out bytes.Buffer
		if err := policy.Explain(bytes.NewReader(raw), &out); err != nil {
			t.Fatal(err)
		}
		lines := bytes.Split(raw, []byte("\n"))
		if len(lines[len(lines)-1]) == 0 {
			lines = lines[:len(lines)-1]
		}
		answers := bytes.Split(bytes.TrimSuffix(out.Bytes(), []byte("\n")), []byte("\n"))
		if out.Len() == 0 {
			answers = nil
		}
		if len(answers) != len(lines) {
			t.Fatalf("%d answers to %d lines", len(answers), len(lines))
		}
		for i, a := range answers {
			var d consent.Decision
			dec := json.NewDecoder(bytes.NewReader(a))
			dec.DisallowUnknownFields()
			if err := dec.Decode(&d); err != nil {
				t.Fatal(err)
			}
			in, err := policy.DecodeInput(lines[i])
			if err != nil && string(a) != badLine {
				t.Fatalf("%q: %s", lines[i], a)
			}
			if err != nil {
				continue
			}
			var lenient consent.Input
			if err := json.Unmarshal(lines[i], &lenient); err != nil || lenient != in {
				t.Fatalf("%q: %+v, %+v, %v", lines[i], in, lenient, err)
			}
			if d != consent.Decide(in) {
				t.Fatalf("%q: %s", lines[i], a)
			}
		}
	})
}
