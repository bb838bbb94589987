package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRollOutPages: the scripts of the pages for device management can be read by
// a shell, and name no place that the packages do not know.
// Fault planted once: /etc/aval/enrol.d in script.md.
func TestRollOutPages(t *testing.T) {
	pages, err := filepath.Glob("../../docs/mdm/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("pages: %v, %v", pages, err)
	}
	block := regexp.MustCompile("(?s)```sh\n(.*?)```")
	place := regexp.MustCompile(`/etc/aval/[a-z.]+`)
	scripts := 0
	for _, page := range pages {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range block.FindAllStringSubmatch(string(raw), -1) {
			scripts++
			cmd := exec.Command("sh", "-n")
			cmd.Stdin = strings.NewReader(m[1])
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %s", page, out)
			}
		}
		for _, p := range place.FindAllString(string(raw), -1) {
			if p != "/etc/aval/policies" && p != "/etc/aval/enroll.d" {
				t.Errorf("%s names %s", page, p)
			}
		}
	}
	if scripts == 0 {
		t.Error("no page has a script")
	}
}
