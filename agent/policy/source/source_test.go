//go:build linux || darwin

package source_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/policy"
	"aval/agent/policy/source"
)

var now = time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)

// docs is a Keeper in memory.
type docs map[string][]byte

func (d docs) Doc(name string) ([]byte, error) {
	raw, ok := d[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return slices.Clone(raw), nil
}
func (d docs) PutDoc(name string, raw []byte) error { d[name] = slices.Clone(raw); return nil }
func (d docs) DeleteDoc(name string) error          { delete(d, name); return nil }

// folder makes a policy folder with files, and gives a Dir on it.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "policy")
	for _, sub := range []string{"", "managed", "recommended"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, dir string) source.Snapshot {
	t.Helper()
	return source.New(source.Options{Dir: dir, Own: true}).Load(now)
}

func TestLoad(t *testing.T) {
	dir := folder(t, map[string]string{
		"managed/10-base.json":     `{"AccessControl": "allowed"}`,
		"managed/90-local.json":    `{"AccessControl": "after-confirmation"}`,
		"recommended/10-base.json": `{"AccessControl": "denied", "QuestionSeconds": 60}`,
		"recommended/20-own.json":  `{"QuestionSeconds": 90}`,
		"managed/.hidden.json":     `not read`,
		"managed/notes.txt":        `not read`,
	})
	s := load(t, dir)
	if s.Err != nil || s.Effective.State != consent.PolicyFresh {
		t.Fatalf("%v, %s", s.Err, s.Effective.State)
	}
	r := s.Effective.Get(policy.AccessControl)
	if r.Value.Text != "after-confirmation" || !r.Value.Enforced || r.Value.Origin.String() != "file:managed/90-local.json" || len(r.Losers) != 2 {
		t.Errorf("%+v", r)
	}
	if q := s.Effective.QuestionTime(); q != 90*time.Second {
		t.Errorf("%s", q)
	}
	if s.Origin != "file:"+dir || len(s.Layers) != 4 || !s.GoodAt.Equal(now) {
		t.Errorf("%+v", s)
	}
}

// TestHashAsDocumented computes the hash as docs/policy.md says.
func TestHashAsDocumented(t *testing.T) {
	if _, err := exec.LookPath("sha256sum"); err != nil {
		t.Skip("sha256sum is not installed")
	}
	dir := folder(t, map[string]string{"managed/b.json": `{}`, "managed/a.json": `{"Insights": "on"}`, "recommended/A.json": `{"Reporting": "on"}`})
	cmd := exec.Command("sh", "-c", "LC_ALL=C; export LC_ALL; sha256sum managed/*.json recommended/*.json | sha256sum")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want, _, _ := strings.Cut(string(out), " ")
	if s := load(t, dir); s.SHA256 != want {
		t.Errorf("%s, not %s (%v)", s.SHA256, want, s.Err)
	}
}

func TestNone(t *testing.T) {
	for name, dir := range map[string]string{
		"no folder":     filepath.Join(t.TempDir(), "a", "b"),
		"empty folders": folder(t, nil),
	} {
		s := load(t, dir)
		if s.Err != nil || s.Effective.State != consent.PolicyNone || s.SHA256 != "" || s.Origin != "none" {
			t.Errorf("%s: %+v", name, s)
		}
	}
	empty := folder(t, map[string]string{"managed/a.json": "{}"})
	if s := load(t, empty); s.Effective.State != consent.PolicyFresh {
		t.Errorf("a policy that says nothing is one: %s", s.Effective.State)
	}
}

// TestDoubt spoils a good folder in one way at a time.
func TestDoubt(t *testing.T) {
	do := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		spoil func(dir string)
		want  string
		root  bool
	}{
		"file writable by group":  {func(d string) { do(os.Chmod(d+"/managed/a.json", 0o664)) }, "can be written by others", false},
		"file writable by all":    {func(d string) { do(os.Chmod(d+"/managed/a.json", 0o646)) }, "can be written by others", false},
		"sub-folder writable":     {func(d string) { do(os.Chmod(d+"/managed", 0o775)) }, "can be written by others", false},
		"folder writable":         {func(d string) { do(os.Chmod(d, 0o777)) }, "can be written by others", false},
		"folder sticky, writable": {func(d string) { do(os.Chmod(d, 0o777|fs.ModeSticky)) }, "can be written by others", false},
		"parent writable":         {func(d string) { do(os.Chmod(filepath.Dir(d), 0o777)) }, "can be written by others", false},
		"file is a link": {func(d string) {
			do(os.Rename(d+"/managed/a.json", d+"/x"))
			do(os.Symlink(d+"/x", d+"/managed/a.json"))
		}, "symbolic link", false},
		"dangling link":          {func(d string) { do(os.Symlink(d+"/nothing", d+"/managed/b.json")) }, "symbolic link", false},
		"sub-folder is a link":   {func(d string) { do(os.Rename(d+"/managed", d+"/x")); do(os.Symlink(d+"/x", d+"/managed")) }, "symbolic link", false},
		"folder is a link":       {func(d string) { do(os.Rename(d, d+"x")); do(os.Symlink(d+"x", d)) }, "symbolic link", false},
		"file is a folder":       {func(d string) { do(os.Mkdir(d+"/managed/b.json", 0o755)) }, "no regular file", false},
		"file is a pipe":         {func(d string) { do(syscall.Mkfifo(d+"/managed/b.json", 0o644)) }, "no regular file", false},
		"sub-folder is a file":   {func(d string) { do(os.RemoveAll(d + "/managed")); do(os.WriteFile(d+"/managed", nil, 0o644)) }, "no folder", false},
		"folder is a file":       {func(d string) { do(os.RemoveAll(d)); do(os.WriteFile(d, nil, 0o644)) }, "no folder", false},
		"file too large":         {func(d string) { do(os.WriteFile(d+"/managed/a.json", make([]byte, policy.MaxFile+1), 0o644)) }, "larger", false},
		"file not JSON":          {func(d string) { do(os.WriteFile(d+"/managed/a.json", []byte("x"), 0o644)) }, "not JSON", false},
		"unknown key":            {func(d string) { do(os.WriteFile(d+"/recommended/b.json", []byte(`{"Colour": "red"}`), 0o644)) }, "not a key", false},
		"empty file":             {func(d string) { do(os.WriteFile(d+"/recommended/b.json", nil, 0o644)) }, "empty", false},
		"file of another user":   {func(d string) { do(os.Chown(d+"/managed/a.json", 65534, 0)) }, "belongs to user id 65534", true},
		"folder of another user": {func(d string) { do(os.Chown(d, 65534, 0)) }, "belongs to user id 65534", true},
		"parent of another user": {func(d string) { do(os.Chown(filepath.Dir(d), 65534, 0)) }, "belongs to user id 65534", true},
	} {
		t.Run(name, func(t *testing.T) {
			if c.root && os.Geteuid() != 0 {
				t.Skip("only root can give files away")
			}
			dir := folder(t, map[string]string{"managed/a.json": `{"AccessControl": "allowed"}`})
			if s := load(t, dir); s.Err != nil {
				t.Fatalf("before: %v", s.Err)
			}
			c.spoil(dir)
			s := load(t, dir)
			if s.Effective.State != consent.PolicyUnreadable || s.Err == nil || !strings.Contains(s.Err.Error(), c.want) {
				t.Errorf("%s, %v", s.Effective.State, s.Err)
			}
			if len(s.Layers) > 0 {
				t.Error("values out of a doubtful policy")
			}
			var in consent.Input
			s.Effective.Fill(&in)
			if in.PolicyState != consent.PolicyUnreadable || in.AccessControl != consent.AccessUnset {
				t.Errorf("%+v", in)
			}
		})
	}
}

func TestUnreadableFolder(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root can read everything")
	}
	dir := folder(t, map[string]string{"managed/a.json": `{}`})
	if err := os.Chmod(dir+"/managed", 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(dir+"/managed", 0o755) })
	if s := load(t, dir); s.Effective.State != consent.PolicyUnreadable {
		t.Errorf("%s", s.Effective.State)
	}
}

// TestOwn: without Own only root's files count.
func TestOwn(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("everything made here belongs to root")
	}
	dir := folder(t, map[string]string{"managed/a.json": `{}`})
	if s := source.New(source.Options{Dir: dir}).Load(now); s.Effective.State != consent.PolicyUnreadable || !strings.Contains(s.Err.Error(), "must belong to root") {
		t.Errorf("%v", s.Err)
	}
}

func TestLinkOnTheWay(t *testing.T) {
	dir := folder(t, map[string]string{"managed/a.json": `{"AccessControl": "denied"}`})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Dir(dir), link); err != nil {
		t.Fatal(err)
	}
	if s := load(t, filepath.Join(link, "policy")); s.Effective.State != consent.PolicyFresh {
		t.Errorf("an own link on the way: %v", s.Err)
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Lchown(link, 65534, 0); err != nil {
		t.Fatal(err)
	}
	if s := load(t, filepath.Join(link, "policy")); s.Effective.State != consent.PolicyUnreadable {
		t.Error("a link of another user was followed")
	}
}

func TestStale(t *testing.T) {
	keeper := docs{}
	dir := folder(t, map[string]string{"managed/a.json": `{"AccessControl": "denied"}`})
	o := source.Options{Dir: dir, Own: true, Keeper: keeper}
	d := source.New(o)
	good := d.Load(now)
	write(t, dir+"/managed/a.json", `{"AccessControl": "allwed"}`)
	// The same Dir, and one after a restart.
	for _, d := range []*source.Dir{d, source.New(o)} {
		for _, c := range []struct {
			after time.Duration
			want  consent.PolicyState
		}{
			{0, consent.PolicyStale}, {time.Hour, consent.PolicyStale}, {source.Expiry - time.Second, consent.PolicyStale},
			{source.Expiry, consent.PolicyUnreadable}, {10 * source.Expiry, consent.PolicyUnreadable}, {-time.Second, consent.PolicyUnreadable},
		} {
			s := d.Load(now.Add(c.after))
			if s.Effective.State != c.want || s.Err == nil || len(s.Problems) != 1 {
				t.Errorf("after %s: %s, %v", c.after, s.Effective.State, s.Err)
			}
			if c.want == consent.PolicyStale {
				if s.SHA256 != good.SHA256 || !s.GoodAt.Equal(now) || s.Effective.Get(policy.AccessControl).Value.Text != "denied" {
					t.Errorf("after %s: %+v", c.after, s)
				}
			}
		}
	}
	// Good again: fresh; and no policy is a fact that forgets the last one.
	write(t, dir+"/managed/a.json", `{}`)
	if s := d.Load(now.Add(time.Hour)); s.Effective.State != consent.PolicyFresh || s.Err != nil {
		t.Errorf("%+v", s)
	}
	if err := os.Remove(dir + "/managed/a.json"); err != nil {
		t.Fatal(err)
	}
	if s := d.Load(now.Add(time.Hour)); s.Effective.State != consent.PolicyNone || len(keeper) != 0 {
		t.Errorf("%s, kept %d", s.Effective.State, len(keeper))
	}
	write(t, dir+"/managed/a.json", `x`)
	if s := d.Load(now.Add(time.Hour)); s.Effective.State != consent.PolicyUnreadable {
		t.Errorf("%s", s.Effective.State)
	}
}

// TestKeptAgain: the last good time moves on while the policy stays the same.
func TestKeptAgain(t *testing.T) {
	o := source.Options{Dir: folder(t, map[string]string{"managed/a.json": `{}`}), Own: true, Keeper: docs{}}
	d := source.New(o)
	for day := range 40 {
		d.Load(now.Add(time.Duration(day) * 24 * time.Hour))
	}
	write(t, o.Dir+"/managed/a.json", "x")
	if s := source.New(o).Load(now.Add(60 * 24 * time.Hour)); s.Effective.State != consent.PolicyStale {
		t.Errorf("%v", s.Err)
	}
}

// TestDamagedKeep flips each byte of the kept policy: it is either the same
// policy or none.
func TestDamagedKeep(t *testing.T) {
	keeper := docs{}
	dir := folder(t, map[string]string{"managed/a.json": `{"AccessControl": "allowed"}`})
	o := source.Options{Dir: dir, Own: true, Keeper: keeper}
	good := source.New(o).Load(now)
	write(t, dir+"/managed/a.json", "x")
	if len(keeper) != 1 {
		t.Fatalf("%d documents kept", len(keeper))
	}
	for name, raw := range keeper {
		raw = slices.Clone(raw)
		for i := range raw {
			for _, bit := range []byte{1, 4, 0x20, 0x80} {
				damaged := slices.Clone(raw)
				damaged[i] ^= bit
				keeper[name] = damaged
				if s := source.New(o).Load(now.Add(time.Minute)); s.Effective.State == consent.PolicyStale && s.SHA256 != good.SHA256 {
					t.Fatalf("byte %d: %+v", i, s)
				}
			}
		}
		for _, short := range [][]byte{nil, raw[:len(raw)/2], append(slices.Clone(raw), raw...)} {
			keeper[name] = short
			if s := source.New(o).Load(now.Add(time.Minute)); s.Effective.State != consent.PolicyUnreadable {
				t.Fatalf("%d bytes: %s", len(short), s.Effective.State)
			}
		}
	}
}

// full is a Keeper that cannot write.
type full struct{ docs }

func (full) PutDoc(string, []byte) error { return errors.New("disk is full") }

func TestKeeperFails(t *testing.T) {
	dir := folder(t, map[string]string{"managed/a.json": `{"AccessControl": "denied"}`})
	d := source.New(source.Options{Dir: dir, Own: true, Keeper: full{docs{}}})
	if s := d.Load(now); s.Effective.State != consent.PolicyFresh {
		t.Errorf("%v", s.Err)
	}
}

func TestWatch(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "etc", "aval", "policy")
	d := source.New(source.Options{Dir: dir, Own: true})
	got := make(chan source.Snapshot, 100)
	done := make(chan error, 1)
	go func() { done <- d.Watch(t.Context(), func(s source.Snapshot) { got <- s }) }()
	wait := func(what string, want func(source.Snapshot) bool) {
		t.Helper()
		for {
			select {
			case s := <-got:
				if want(s) {
					return
				}
			case err := <-done:
				t.Fatalf("%s: watching ended: %v", what, err)
			case <-time.After(20 * time.Second):
				t.Fatalf("%s: not seen", what)
			}
		}
	}
	state := func(want consent.PolicyState) func(source.Snapshot) bool {
		return func(s source.Snapshot) bool { return s.Effective.State == want }
	}
	access := func(want string) func(source.Snapshot) bool {
		return func(s source.Snapshot) bool { return s.Effective.Get(policy.AccessControl).Value.Text == want }
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	wait("at first", state(consent.PolicyNone))
	do(os.MkdirAll(dir+"/managed", 0o755))
	write(t, dir+"/managed/a.json", `{"AccessControl": "denied"}`)
	wait("folder and file appear", access("denied"))
	write(t, dir+"/managed/a.json", `{"AccessControl": "allowed"}`)
	wait("file changes", access("allowed"))
	do(os.Chmod(dir+"/managed/a.json", 0o666))
	wait("file becomes writable", func(s source.Snapshot) bool { return s.Err != nil })
	do(os.Chmod(dir+"/managed/a.json", 0o644))
	wait("and safe again", state(consent.PolicyFresh))
	do(os.Rename(dir, dir+"-old"))
	wait("folder is moved away", state(consent.PolicyNone))
	do(os.MkdirAll(dir+"/recommended", 0o755))
	write(t, dir+"/recommended/b.json", `{"AccessControl": "after-confirmation"}`)
	wait("another takes its place", access("after-confirmation"))
	do(os.RemoveAll(filepath.Dir(dir)))
	wait("everything is removed", state(consent.PolicyNone))
}

const prefs = `<?xml version="1.0" encoding="UTF-8"?>
<plist version="1.0"><dict><key>AccessControl</key><string>%</string></dict></plist>`

// TestManagedPreferences: they count beside the folder, are trusted as little,
// and a change of theirs is noticed.
func TestManagedPreferences(t *testing.T) {
	dir := folder(t, map[string]string{"managed/a.json": `{"AccessControl": "allowed", "QuestionSeconds": 60}`})
	place := filepath.Join(t.TempDir(), "Managed Preferences", policy.PreferenceDomain+".plist")
	o := source.Options{Dir: dir, Preferences: place, Own: true, Keeper: docs{}}
	d := source.New(o)
	if s := d.Load(now); s.Err != nil || s.Origin != "file:"+dir {
		t.Fatalf("no such list is a fact: %+v", s)
	}
	if err := os.Mkdir(filepath.Dir(place), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, place, strings.Replace(prefs, "%", "denied", 1))
	s := d.Load(now)
	r := s.Effective.Get(policy.AccessControl)
	if s.Err != nil || r.Value.Text != "denied" || !r.Value.Enforced || r.Value.Origin.Name != policy.FromPreferences || s.Effective.QuestionTime() != time.Minute ||
		s.Origin != "file:"+dir+", managed-preferences:"+place {
		t.Fatalf("%v, %+v, %s", s.Err, r, s.Origin)
	}
	for name, spoil := range map[string]func() error{
		"writable by others": func() error { return os.Chmod(place, 0o666) },
		"folder writable":    func() error { return os.Chmod(filepath.Dir(place), 0o777) },
		"a link": func() error {
			return errors.Join(os.Rename(place, place+"x"), os.Symlink(place+"x", place))
		},
		"a slip":   func() error { return os.WriteFile(place, []byte(strings.Replace(prefs, "%", "dnied", 1)), 0o644) },
		"no plist": func() error { return os.WriteFile(place, []byte("denied"), 0o644) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if s := source.New(source.Options{Dir: dir, Preferences: place, Own: true}).Load(now); s.Effective.State != consent.PolicyUnreadable {
			t.Errorf("%s: %s", name, s.Effective.State)
		}
		// The last good one, which denies, still counts.
		if s := source.New(o).Load(now.Add(time.Hour)); s.Effective.State != consent.PolicyStale || s.Effective.Get(policy.AccessControl).Value.Text != "denied" {
			t.Errorf("%s: %s", name, s.Effective.State)
		}
		if err := errors.Join(os.RemoveAll(filepath.Dir(place)), os.Mkdir(filepath.Dir(place), 0o755)); err != nil {
			t.Fatal(err)
		}
		write(t, place, strings.Replace(prefs, "%", "denied", 1))
	}
	got := make(chan source.Snapshot, 100)
	go func() { _ = d.Watch(t.Context(), func(s source.Snapshot) { got <- s }) }()
	wait := func(want string) {
		t.Helper()
		for end := time.After(20 * time.Second); ; {
			select {
			case s := <-got:
				if s.Effective.Get(policy.AccessControl).Value.Text == want {
					return
				}
			case <-end:
				t.Fatalf("%s: not seen", want)
			}
		}
	}
	wait("denied")
	write(t, place, strings.Replace(prefs, "%", "after-confirmation", 1))
	wait("after-confirmation")
	if err := os.RemoveAll(filepath.Dir(place)); err != nil {
		t.Fatal(err)
	}
	wait("allowed")
}
