package font

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long fontconfig may take. It answers in some milliseconds
// from its cache, and reads every font where there is none.
const patience = 1500 * time.Millisecond

// places of fc-match, whose owner is the system's administrator. PATH is the
// user's.
var places = []string{"/usr/bin", "/bin", "/usr/local/bin", "/run/current-system/sw/bin"}

// candidates asks fontconfig, whose order is that of every other program: best
// first. fc-match(1); the pattern is explained in fonts-conf(5).
func candidates(runes []rune, lang string, bold bool) ([]candidate, error) {
	var path string
	for _, dir := range places {
		p := filepath.Join(dir, "fc-match")
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
			path = p
			break
		}
	}
	if path == "" {
		return nil, errors.New("find a font: fc-match is not installed (package fontconfig)")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--sort", "--format", "%{file}\t%{index}\t%{weight}\n", pattern(runes, lang, bold))
	// Without HOME: the user's own fonts are not trusted anyway. The variables
	// are how a system keeps its fonts in another place.
	cmd.Env = []string{"LC_ALL=C"}
	for _, name := range []string{"FONTCONFIG_FILE", "FONTCONFIG_PATH", "FONTCONFIG_SYSROOT"} {
		if v := os.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	if os.Getegid() != os.Getgid() { // a group of our own is nothing for others
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{
			Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid()), NoSetGroups: true,
		}}
	}
	cmd.WaitDelay = 100 * time.Millisecond
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 && len(out) == 0 {
		return nil, nil // there are no fonts at all
	}
	if err != nil {
		return nil, fmt.Errorf("find a font: fc-match: %w", cmp.Or(ctx.Err(), err))
	}
	return parse(out), nil
}

// pattern asks for an upright sans-serif font.
func pattern(runes []rune, lang string, bold bool) string {
	var b strings.Builder
	weight := 80 // regular; bold is 200: fontconfig.h
	if bold {
		weight = 200
	}
	fmt.Fprintf(&b, "sans-serif:slant=0:weight=%d", weight)
	if lang != "" {
		b.WriteString(":lang=" + fontLang(lang))
	}
	b.WriteString(":charset=")
	for i, r := range runes {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%x", r)
	}
	return b.String()
}

// fontLang is a language as fontconfig names it: Chinese by the country whose
// shapes it is written in.
func fontLang(lang string) string {
	switch {
	case strings.HasPrefix(lang, "zh-Hant"):
		return "zh-tw"
	case strings.HasPrefix(lang, "zh"):
		return "zh-cn"
	}
	base, _, _ := strings.Cut(lang, "-")
	return strings.ToLower(base)
}

// parse reads fc-match's lines.
func parse(out []byte) []candidate {
	var list []candidate
	for line := range bytes.Lines(out) {
		f := strings.Split(strings.TrimRight(string(line), "\n"), "\t")
		if len(f) < 2 {
			continue
		}
		index, err := strconv.Atoi(f[1])
		if err != nil || index < 0 || !filepath.IsAbs(f[0]) {
			continue
		}
		switch strings.ToLower(filepath.Ext(f[0])) {
		case ".ttf", ".otf", ".ttc", ".otc":
			// The upper half is a variation of the font: FreeType, FT_Open_Face.
			list = append(list, candidate{f[0], index & 0xFFFF})
		}
	}
	return list
}

// trusted tells whether only the administrator could have written the file:
// root owns it and the folder that it is in, and nobody else may write.
func trusted(path string, info fs.FileInfo) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("no regular file")
	}
	for _, i := range []fs.FileInfo{info, dir} {
		if s, ok := i.Sys().(*syscall.Stat_t); !ok || s.Uid != 0 || i.Mode()&0o022 != 0 {
			return errors.New("others than root may write it")
		}
	}
	return nil
}
