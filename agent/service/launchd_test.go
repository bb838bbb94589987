package service_test

import (
	"encoding/xml"
	"slices"
	"strings"
	"testing"

	"aval/agent/service"
)

// TestDaemon: what launchd is told runs the program with its arguments, whatever is in
// their names, at boot and again after its end. Seen to fail with words that are not
// escaped.
func TestDaemon(t *testing.T) {
	words := []string{"--state-dir", "/Volumes/a & <b>/x"}
	text, err := service.Daemon("/opt/aval/bin/aval", words...)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Dict struct {
			Keys    []string   `xml:"key"`
			True    []struct{} `xml:"true"`
			Program []string   `xml:"array>string"`
		} `xml:"dict"`
	}
	if err := xml.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	if want := append([]string{"/opt/aval/bin/aval", "run"}, words...); !slices.Equal(d.Dict.Program, want) {
		t.Errorf("%q", d.Dict.Program)
	}
	for _, key := range []string{"RunAtLoad", "KeepAlive"} {
		if !strings.Contains(text, "<key>"+key+"</key>\n\t<true/>") {
			t.Errorf("no %s", key)
		}
	}
	for _, bad := range []string{"/opt/{{Name}}", "/opt/\x00", "/opt/a\nb"} {
		if _, err := service.Daemon(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
