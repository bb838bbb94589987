package capture

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"
)

func procArgs(n uint32, parts ...string) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, n), strings.Join(parts, "\x00")...)
}

func TestParseProcArgs(t *testing.T) {
	for name, tt := range map[string]struct {
		raw  []byte
		file string
		args []string
	}{
		"whole":       {procArgs(3, "/bin/ls", "", "", "", "ls", "-l", "/tmp", "HOME=/Users/ana", ""), "/bin/ls", []string{"ls", "-l", "/tmp"}},
		"no padding":  {procArgs(1, "/bin/ls", "ls", "PATH=/bin", ""), "/bin/ls", []string{"ls"}},
		"empty one":   {procArgs(3, "/bin/x", "", "x", "", "b", ""), "/bin/x", []string{"x", "", "b"}},
		"cut off":     {procArgs(3, "/bin/ls", "ls", "-l", "/tm"), "/bin/ls", []string{"ls", "-l"}},
		"none":        {nil, "", nil},
		"no file":     {procArgs(1, "", "ls", ""), "", nil},
		"endless":     {procArgs(1<<31, "/bin/ls", "ls", ""), "", nil},
		"not ended":   {procArgs(1, "/bin/ls"), "", nil},
		"environment": {procArgs(0, "/sbin/x", "SECRET=CANARY", ""), "/sbin/x", nil},
	} {
		if file, args := parseProcArgs(tt.raw); file != tt.file || !slices.Equal(args, tt.args) {
			t.Errorf("%s: %q %q", name, file, args)
		}
	}
}

// FuzzProcArgs: never the environment, never more arguments than there are said to be.
func FuzzProcArgs(f *testing.F) {
	f.Add(procArgs(3, "/bin/ls", "", "ls", "-l", "/tmp", "HOME=/", ""))
	f.Add([]byte{1, 0, 0, 0, '/'})
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, args := parseProcArgs(raw)
		if len(args) > 0 && (file == "" || uint32(len(args)) > binary.LittleEndian.Uint32(raw) || !bytes.Contains(raw, []byte(args[0]))) {
			t.Errorf("%q: %q %q", raw, file, args)
		}
	})
}

const historyHead = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<array>
`

func historyEntry(date, name, version string) string {
	return "\t<dict>\n\t\t<key>date</key>\n\t\t<date>" + date + "</date>\n\t\t<key>displayName</key>\n\t\t<string>" + name +
		"</string>\n\t\t<key>displayVersion</key>\n\t\t<string>" + version + "</string>\n\t\t<key>packageIdentifiers</key>\n\t\t<array>\n\t\t\t<string>com.example.pkg</string>\n\t\t</array>\n" +
		"\t\t<key>processName</key>\n\t\t<string>installer</string>\n\t</dict>\n"
}

// TestInstallHistory: what is new in the list is told, with the version before where
// there was one.
func TestInstallHistory(t *testing.T) {
	read := func(entries ...string) []receipt {
		t.Helper()
		r, err := parseInstallHistory([]byte(historyHead + strings.Join(entries, "") + "</array>\n</plist>\n"))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	old := historyEntry("2026-02-01T08:00:00Z", "Editor", "1.0")
	before := read(old)
	if want := (receipt{time.Date(2026, 2, 1, 8, 0, 0, 0, time.UTC), "Editor", "1.0"}); len(before) != 1 || before[0] != want {
		t.Fatalf("%+v", before)
	}
	now := read(old, historyEntry("2026-02-02T08:00:00Z", "Editor", "1.1"), historyEntry("2026-02-02T08:01:00Z", "Driver", ""), historyEntry("2026-02-02T08:02:00Z", "Editor", "1.2"))
	want := []packageChange{{"upgraded", "Editor", "1.1", "1.0"}, {"installed", "Driver", "", ""}, {"upgraded", "Editor", "1.2", "1.1"}}
	if got := receiptChanges(before, now); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	if got := receiptChanges(now, now); len(got) != 0 {
		t.Errorf("nothing is new: %+v", got)
	}
	for name, raw := range map[string]string{
		"cut off":      historyHead + old,
		"a dictionary": strings.NewReplacer("<array>\n\t<dict>", "<dict>\n<key>a</key><dict>", "</array>\n</plist>", "</dict></plist>").Replace(historyHead + old + "</array>\n</plist>"),
		"texts":        historyHead + "<string>x</string></array></plist>",
		"no date":      historyHead + historyEntry("yesterday", "Editor", "1") + "</array></plist>",
		"empty":        "",
	} {
		if r, err := parseInstallHistory([]byte(raw)); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestLogLine(t *testing.T) {
	const good = `{"timestamp":"2026-02-14 10:30:12.123456-0800","processImagePath":"/usr/libexec/backupd","eventMessage":"disk is gone","messageType":"Fault","subsystem":"com.example"}`
	at, program, text, ok := parseLogLine(good)
	if !ok || program != "backupd" || text != "disk is gone" || !at.Equal(time.Date(2026, 2, 14, 18, 30, 12, 123456000, time.UTC)) {
		t.Errorf("%v %q %q %v", at, program, text, ok)
	}
	for _, bad := range []string{"", "Filtering the log data using \"messageType == 17\"", strings.Replace(good, "Fault", "Error", 1), good[:60], strings.Replace(good, "-0800", "", 1), strings.Replace(good, "/usr/libexec/backupd", "", 1)} {
		if _, _, _, ok := parseLogLine(bad); ok {
			t.Error(bad)
		}
	}
}

// FuzzLogLine: a line of a log is text that anybody may have written.
func FuzzLogLine(f *testing.F) {
	f.Add(`{"timestamp":"2026-02-14 10:30:12.1-0800","processImagePath":"/x","eventMessage":"m","messageType":"fault"}`)
	f.Fuzz(func(t *testing.T, line string) {
		if at, program, _, ok := parseLogLine(line); ok && (program == "" || strings.Contains(program, "/") && program != "/" || at.Location() != time.UTC) {
			t.Errorf("%q: %v %q", line, at, program)
		}
	})
}
