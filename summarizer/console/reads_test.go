package console_test

import (
	"net/http"
	"strings"
	"testing"

	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/summary/sample"
)

// TestReaders: each way to read a session in the console leaves its row, and the
// page says to auditors, and to nobody else, who has read it. To see it fail,
// leave ReadSession out of one of the handlers.
func TestReaders(t *testing.T) {
	s := start(t)
	var refs []string
	for i := range 3 {
		in := sample.Printer("en")
		in.ID += strings.Repeat("i", i)
		in.Grant += strings.Repeat("i", i)
		refs = append(refs, s.put(in).Ref())
	}
	s.summarise(nil)
	person := func(name string, role company.Role) (*browser, string) {
		u, err := s.co.As(company.Command).CreateUser(t.Context(), company.NewUser{Name: name, Login: name, Role: role})
		if err != nil {
			t.Fatal(err)
		}
		return s.person(s.co, u), "user:" + u.ID
	}
	for i, path := range []string{"/s/" + refs[0], "/s/" + refs[1] + "/export/json", "/s/" + refs[2] + "/edit"} {
		b, actor := person("reader-"+refs[i][:4], company.Editor)
		for range 2 {
			if code, page := b.get(s.url + path); code != http.StatusOK || strings.Contains(page, "Who has read") {
				t.Fatalf("%s: %d\n%s", path, code, page)
			}
		}
		list, err := s.co.Audits(t.Context(), store.AuditFilter{Action: "session-read", Actor: actor, Max: 10})
		if err != nil || len(list) != 1 || list[0].Subject != refs[i] {
			t.Errorf("%s: %+v, %v", path, list, err)
		}
	}
	b, actor := person("Lia", company.Viewer)
	if code, _ := b.get(s.url + "/export.csv"); code != http.StatusOK {
		t.Fatal(code)
	}
	if list, err := s.co.Audits(t.Context(), store.AuditFilter{Action: "sessions-read", Actor: actor, Max: 10}); err != nil || len(list) != 1 || list[0].Detail != "3 sessions, as a list" {
		t.Errorf("the list: %+v, %v", list, err)
	}
	auditor, _ := person("Rui", company.Auditor)
	_, page := auditor.get(s.url + "/s/" + refs[0])
	for _, want := range []string{"Who has read this session", "<dt>reader-" + refs[0][:4] + "</dt>", "<dt>Lia</dt>", "<dt>Rui</dt>", "in 1 hour"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "reader-"+refs[1][:4]) && refs[0][:4] != refs[1][:4] {
		t.Error("who has read another session is among them")
	}
}
