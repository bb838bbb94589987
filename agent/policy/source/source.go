// Package source reads the policy from where device management puts it: on Linux
// and macOS a folder of JSON files, DIR/managed/*.json for enforced values and
// DIR/recommended/*.json for the others, on macOS managed preferences as well,
// and on Windows the registry.
//
// The one rule that must not be broken: any doubt about who could have written
// a policy, or about what it says, makes it unreadable. It is never read in
// part, and never taken for "no policy".
//
// The last good policy is kept, and counts as stale for Expiry when reading
// fails later.
package source

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"aval/agent/consent"
	"aval/agent/policy"
)

// Expiry is how long the last good policy counts after it was last read.
const Expiry = 30 * 24 * time.Hour

// settle is how long the policy must be quiet before it is read again, since it
// is often written in several steps.
const settle = 150 * time.Millisecond

// rekeep is how often an unchanged policy is kept again with a new time.
const rekeep = 24 * time.Hour

// The two folders of a policy folder.
const (
	managed     = "managed"
	recommended = "recommended"
)

// Keeper stores small documents durably, each by its name; agent/store is one.
// Doc returns an error that is fs.ErrNotExist where there is none.
type Keeper interface {
	Doc(name string) ([]byte, error)
	PutDoc(name string, raw []byte) error
	DeleteDoc(name string) error
}

// Options say where the policy lies. Dir is required.
type Options struct {
	// Dir is the policy folder, such as /etc/aval/policies. Windows has none: its
	// policy lies in the registry.
	Dir string
	// Preferences is a property list with managed preferences; empty: none is
	// read. See DefaultPreferences.
	Preferences string
	// Own accepts folders and files of the user that runs this program besides
	// those of root: for --policy-dir.
	Own bool
	// Keeper keeps the last good policy; nil: none is kept.
	Keeper Keeper
	// Log is told what makes a policy unreadable; nil: nobody.
	Log *slog.Logger
}

// Snapshot is the policy as one reading found it.
type Snapshot struct {
	// Layers are for policy.Merge, together with layers from elsewhere.
	Layers []policy.Layer
	// Effective is what these layers alone come to, with its State.
	Effective policy.Effective
	// SHA256 is of the output of `sha256sum` over the files that were read, in
	// hex, so that anybody can compute it again:
	//   cd DIR && LC_ALL=C sha256sum managed/*.json recommended/*.json | sha256sum
	// What was not read from files is in it as the files that it stands for. It is
	// empty where there is no policy.
	SHA256 string
	// Origin names the places that values come from: file: and the folder,
	// registry: and the key, managed-preferences: and the list; or none.
	Origin string
	// GoodAt is when this policy was last read without doubt.
	GoodAt time.Time
	// Err says why reading failed; nil when fresh or none.
	Err error
	// Problems is all that is wrong with the files' contents, part of Err.
	Problems []policy.Problem
}

// Dir reads one policy folder. It is safe for several goroutines.
type Dir struct {
	o Options

	mu     sync.Mutex
	last   kept   // the last good policy, once looked up or read
	looked bool   // whether the keeper was asked for it
	logged string // the last error logged, so that it is logged once
}

// New makes a Dir. It reads nothing yet.
func New(o Options) *Dir {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if abs, err := filepath.Abs(o.Dir); err == nil {
		o.Dir = abs
	}
	return &Dir{o: o}
}

// file is one policy file with its bytes, or what stands for one elsewhere. Name
// is managed/X or recommended/X, or the other place.
type file struct {
	Name     string `json:"name"`
	Raw      []byte `json:"raw"`
	From     string `json:"from"` // policy.FromFile and so on
	Enforced bool   `json:"enforced"`
}

// Load reads the policy as it is at now. It is cheap enough to be called for
// each decision, and then no change is missed.
func (d *Dir) Load(now time.Time) Snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	files, problems, err := d.o.read()
	if err == nil {
		s := d.snapshot(files)
		if problems = append(problems, s.Problems...); len(problems) == 0 {
			d.logged = ""
			s.GoodAt = now
			d.keep(files, now)
			return s
		}
		err = fmt.Errorf("policy %s", problems[0])
		if n := len(problems) - 1; n > 0 {
			err = fmt.Errorf("%w, and %d more problems", err, n)
		}
	}
	err = fmt.Errorf("read policy: %w", err)
	if d.logged != err.Error() {
		d.logged = err.Error()
		d.o.Log.Error("policy cannot be read", "dir", d.o.Dir, "error", err)
	}
	return d.stale(now, err, problems)
}

// snapshot merges files; without any there is no policy.
func (d *Dir) snapshot(files []file) Snapshot {
	if len(files) == 0 {
		return Snapshot{Effective: policy.Merge(nil), Origin: "none"}
	}
	s := Snapshot{Origin: d.origins(files), SHA256: sum(files)}
	for _, f := range files {
		values, problems := policy.Parse(f.Name, f.Raw)
		s.Problems = append(s.Problems, problems...)
		for i := range values {
			values[i].Enforced = f.Enforced
		}
		s.Layers = append(s.Layers, policy.Layer{
			Origin: policy.Origin{Name: f.From, Scope: policy.Machine, File: f.Name},
			Values: values,
		})
	}
	if len(s.Problems) > 0 {
		s.Layers, s.Effective = nil, policy.Unreadable(s.Problems...)
		return s
	}
	s.Effective = policy.Merge(s.Layers)
	if s.Effective.State == consent.PolicyNone {
		// Files without a setting are a policy that says nothing, and no
		// less readable: the device is managed.
		s.Effective.State = consent.PolicyFresh
	}
	return s
}

// stale answers with the last good policy, or with none at all.
func (d *Dir) stale(now time.Time, err error, problems []policy.Problem) Snapshot {
	bad := Snapshot{Effective: policy.Unreadable(problems...), Origin: d.origins(nil), Err: err, Problems: problems}
	last, ok := d.lookup()
	switch {
	case !ok:
		return bad
	case now.Before(last.At):
		bad.Err = fmt.Errorf("%w; the last good policy is from the future: %s", err, last.At.Format(time.RFC3339))
		return bad
	case !now.Before(last.At.Add(Expiry)):
		bad.Err = fmt.Errorf("%w; the last good policy of %s has expired", err, last.At.Format(time.RFC3339))
		return bad
	}
	s := d.snapshot(last.Files)
	if len(s.Problems) > 0 {
		bad.Err = errors.Join(err, fmt.Errorf("read kept policy: %s", s.Problems[0]))
		return bad
	}
	s.Effective.State = consent.PolicyStale
	s.GoodAt, s.Err, s.Problems = last.At, err, problems
	return s
}

// origins names where files come from, each place once.
func (d *Dir) origins(files []file) string {
	var all []string
	for _, f := range files {
		o := policy.FromFile + ":" + d.o.Dir
		if f.From != policy.FromFile {
			o = f.From + ":" + strings.TrimSuffix(f.Name, " "+policy.Recommended)
		}
		if !slices.Contains(all, o) {
			all = append(all, o)
		}
	}
	if len(all) == 0 {
		return defaultOrigin(d.o)
	}
	return strings.Join(all, ", ")
}

// reporter reads the policy each time that it is called, and hands it on where it
// is another than the last.
func (d *Dir) reporter(changed func(Snapshot)) func() {
	last := ""
	return func() {
		s := d.Load(time.Now())
		if m := s.mark(); m != last {
			last = m
			changed(s)
		}
	}
}

// mark tells snapshots apart by what follows from them.
func (s Snapshot) mark() string {
	e := ""
	if s.Err != nil {
		e = s.Err.Error()
	}
	return string(s.Effective.State) + "\n" + s.SHA256 + "\n" + e
}

// sum is the hash that Snapshot.SHA256 documents.
func sum(files []file) string {
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%x  %s\n", sha256.Sum256(f.Raw), f.Name)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// notExist tells whether err says that something is not there at all.
func notExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
