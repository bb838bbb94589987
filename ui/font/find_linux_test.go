package font

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/font/sfnt"
)

const japanese = "このセッションの要約を許可しますか？ Ana 12"

// hide makes fontconfig look into one folder only.
func hide(t *testing.T, dir string) {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "conf")
	text := fmt.Sprintf("<?xml version=\"1.0\"?><!DOCTYPE fontconfig SYSTEM \"fonts.dtd\"><fontconfig><dir>%s</dir><cachedir>%s</cachedir></fontconfig>", dir, t.TempDir())
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FONTCONFIG_FILE", conf)
}

// need is a font for Japanese and one for Chinese: see test/deps.sh.
func need(t *testing.T, text, lang string) *Face {
	t.Helper()
	f, err := Find(text, lang, false)
	if err != nil {
		t.Fatalf("there must be a font for %q in tests (packages fonts-vlgothic, fonts-wqy-microhei): %v", lang, err)
	}
	return f
}

func TestFind(t *testing.T) {
	for lang, text := range map[string]string{"ja": japanese, "zh-Hans": "允许为此会话生成摘要吗？Ana 12"} {
		f := need(t, text, lang)
		for _, r := range text {
			if !f.Has(r) {
				t.Errorf("%s: %s has no %q", lang, f.Path, r)
			}
		}
		if again, err := Find("12"+text[:3], lang, false); again != f {
			t.Errorf("%s: found once, not found again: %v, %v", lang, again, err)
		}
	}
}

// TestBytes: what is handed to a toolkit is the same font, alone. Seen to fail
// with the directory of the collection's other
func TestBytes(t *testing.T) {
	for lang, text := range map[string]string{"ja": japanese, "zh-Hans": "允许为此会话生成摘要吗？"} {
		f := need(t, text, lang)
		raw, err := f.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		tables, err := newAligned(bytes.NewReader(raw), 0)
		if err != nil {
			t.Fatal(err)
		}
		alone, err := sfnt.ParseReaderAt(tables)
		if err != nil {
			t.Fatalf("%s: %v", f.Path, err)
		}
		for _, r := range text {
			if !Has(alone, r) {
				t.Errorf("%s: no %q", f.Path, r)
			}
		}
		var buf sfnt.Buffer
		a, _ := alone.Name(&buf, sfnt.NameIDFull)
		b, _ := f.SFNT().Name(&buf, sfnt.NameIDFull)
		if a != b {
			t.Errorf("%s: is %q, not %q", f.Path, a, b)
		}
	}
}

// TestWithout: a system without such fonts is told from one that does not answer.
func TestWithout(t *testing.T) {
	found.faces = nil
	hide(t, t.TempDir())
	if f, err := Find(japanese+"!", "ja", false); !errors.Is(err, ErrNone) {
		t.Errorf("without fonts: %v, %v", f, err)
	}
}

// TestOthersFonts: a font that others than root may write is not used, whatever
// fontconfig says. Seen to fail without the check of the owner's rights.
func TestOthersFonts(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: a file of the tester's own is not trusted anyway")
	}
	from := need(t, japanese, "ja")
	for name, set := range map[string]func(dir, file string) error{
		"file is another's":        func(_, file string) error { return os.Chown(file, 65534, 65534) },
		"file is writable":         func(_, file string) error { return os.Chmod(file, 0o666) },
		"folder is writable":       func(dir, _ string) error { return os.Chmod(dir, 0o777) },
		"folder is another's":      func(dir, _ string) error { return os.Chown(dir, 65534, 65534) },
		"control: nothing is done": func(_, _ string) error { return nil },
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "copy"+filepath.Ext(from.Path))
		if err := copyFile(file, from.Path); err != nil {
			t.Fatal(err)
		}
		hide(t, dir)
		if err := set(dir, file); err != nil {
			t.Fatal(err)
		}
		found.faces = nil
		f, err := Find(japanese+name, "ja", false)
		if strings.HasPrefix(name, "control") != (err == nil) {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
