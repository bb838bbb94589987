package main

import (
	"strings"
	"testing"
)

// Both languages tell the whole story, with the same values in it.
func TestTexts(t *testing.T) {
	for key, en := range texts["en"] {
		pt, ok := texts["pt-BR"][key]
		if !ok {
			t.Errorf("%q is missing in Portuguese", key)
		}
		if a, b := strings.Count(en, "%"), strings.Count(pt, "%"); a != b {
			t.Errorf("%q: %d values in English, %d in Portuguese", key, a, b)
		}
	}
	if len(texts["en"]) != len(texts["pt-BR"]) {
		t.Error("the languages have different texts")
	}
}
