package watch

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// wide writes a text as UTF-16, little endian.
func wide(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

// adTransferLine is a line of AnyDesk's list of transferred files.
func adTransferLine(name string) string {
	return wide("Clipboard\t\t2026-02-16, 20:31\tstart \tdownload\t'" + name + "' (~0 B out of 4.20 MiB)\r")
}

// TestAnyDeskTransfers: the list of transferred files is read in its own writing,
// also after it was emptied and written anew, and only what belongs to one session
// for certain is told. What is half written comes once it is whole.
//
// Faults planted once: the bytes read as they are (nothing is heard); the look for a
// second session left out.
func TestAnyDeskTransfers(t *testing.T) {
	dir := t.TempDir()
	trace, list := filepath.Join(dir, "ad_svc.trace"), filepath.Join(dir, adTransfers)
	appendTo := func(path, text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	line := func(name string) string { return adTransferLine(name) + wide("\n") }
	appendTo(trace, "")
	appendTo(list, line("before.zip")) // of another day
	told := make(chan string, 64)
	s := newStory(t)
	s.each = func(l string) { told <- l }
	l := NewLogs(slog.New(slog.DiscardHandler), s, []LogFile{{Tool: ToolAnyDesk, Path: trace}, {Tool: ToolAnyDesk, Path: list}}, nil)
	started := make(chan struct{})
	l.started = func() { close(started) }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	<-started
	expect := func(want string) {
		t.Helper()
		if got := <-told; !strings.Contains(got, want) {
			t.Fatalf("%q, not %q", got, want)
		}
	}
	sample := strings.Split(sample(t, "anydesk.trace"), "\n")
	var login []string
	for _, text := range sample {
		login = append(login, text)
		if strings.Contains(text, "Authenticated ") {
			break
		}
	}
	appendTo(list, line("nobody.zip")) // no session yet
	appendTo(trace, strings.Join(login, "\n")+"\n")
	expect("begin anydesk/")
	whole := line("driver für Ana.zip")
	appendTo(list, whole[:31])
	appendTo(list, whole[31:]+line("broken")[:40]+wide("\n"))
	expect("name=driver für Ana.zip")
	if err := os.Truncate(list, 0); err != nil {
		t.Fatal(err)
	}
	appendTo(list, "\xFF\xFE"+line("again's.zip"))
	expect("name=again's.zip")
	if err := os.Rename(list, list+".1"); err != nil {
		t.Fatal(err)
	}
	appendTo(list, line("new.zip"))
	expect("name=new.zip")
}

// TestTransfersOfOne: with two sessions at once nobody knows whose file it was.
func TestTransfersOfOne(t *testing.T) {
	s := newStory(t)
	s.open["1"], s.open["2"] = true, true
	a := &anyDesk{sink: s, open: []*adSession{{id: "1", begun: true}, {id: "2", begun: true}}}
	a.line("x/"+adTransfers, adTransferLine("driver.zip"), later)
	if len(s.lines) != 0 {
		t.Errorf("of two: %q", s.lines)
	}
	a.open[1].begun = false
	for name, raw := range map[string]string{
		"its end":      strings.Replace(adTransferLine("x"), wide("start"), wide("finish"), 1),
		"no name":      strings.Replace(adTransferLine("x"), wide("'x'"), "", 1),
		"odd":          adTransferLine("x")[1:],
		"one byte":     "x",
		"a plain text": "Clipboard\t\t2026-02-16, 20:31\tstart \tdownload\t'x' (~0 B out of 1 B)",
	} {
		if a.line(adTransfers, raw, later); len(s.lines) != 0 {
			t.Errorf("%s: %q", name, s.lines)
		}
	}
	a.line(adTransfers, adTransferLine("driver.zip"), later)
	if len(s.lines) != 1 || s.lines[0] != "file-transferred anydesk/1 name=driver.zip" {
		t.Errorf("%q", s.lines)
	}
}

// TestScreenConnectTexts: the numbers and the name of the source differ by version,
// the texts do not. Faults planted once: the number looked at; the source compared
// whole; files told of one of two sessions.
func TestScreenConnectTexts(t *testing.T) {
	const client = "ScreenConnect Client (0123456789abcdef)"
	ev := func(provider string, id int, text string) string {
		return fmt.Sprintf("<Event><System><Provider Name='%s'/><EventID>%d</EventID><TimeCreated SystemTime='2026-02-11T12:00:%02d.5Z'/><Channel>Application</Channel></System><EventData><Data>%s</Data></EventData></Event>",
			provider, id, id%60, text)
	}
	for name, tt := range map[string]struct {
		events []string
		want   string
	}{
		"old":               {[]string{ev(client, 0, "Example Support Connected"), ev(client, 0, "Transferred files with action 'Transfer':&#10;a.zip&#10;b.zip"), ev(client, 0, "Example Support Disconnected")}, "begin name=a.zip name=b.zip end"},
		"of its own number": {[]string{ev(client, 1, "Example Support Connected"), ev(client, 2, "Example Support Disconnected")}, "begin end"},
		"another company's": {[]string{ev(client, 0, "Example Support Connected"), ev("ScreenConnect Client (fedcba9876543210)", 0, "Example Support Disconnected")}, "begin"},
		"whose files":       {[]string{ev(client, 0, "Ana Connected"), ev(client, 1, "Bea Connected"), ev(client, 5, "Transferred files with action 'Transfer':&#10;a.zip")}, "begin begin"},
		"no session":        {[]string{ev(client, 5, "Transferred files with action 'Transfer':&#10;a.zip")}, ""},
		"another source":    {[]string{ev("ScreenConnectish", 0, "Example Support Connected"), ev("Other", 100, "Example Support Connected")}, ""},
		"run on arrival":    {[]string{ev(client, 0, "Ana Connected"), ev(client, 201, "Transferred files with action 'RunElevated':&#10;t.exe&#10;&#10;Version: 23.8&#10;")}, "begin direction=to-computer name=t.exe"},
		"many":              {[]string{ev(client, 0, "Ana Connected"), ev(client, 201, "Transferred files with action 'Transfer':"+strings.Repeat("&#10;f", 50))}, "begin" + strings.Repeat(" name=f", maxSentFiles)},
	} {
		s := newStory(t)
		w := newWinEvents(s, ToolNames)
		for _, e := range tt.events {
			w.event(e, later)
		}
		var got []string
		for _, l := range s.lines {
			f := strings.Fields(l)
			if f[0] == "file-transferred" {
				f = f[2:]
			} else {
				f = f[:1]
			}
			got = append(got, f...)
		}
		if g := strings.Join(got, " "); g != tt.want {
			t.Errorf("%s: %q", name, g)
		}
	}
}
