package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
)

// The buckets at the top of the database.
const (
	bState    = "state"    // settings, log state, index of sessions
	bSessions = "sessions" // live sessions
	bStreams  = "streams"  // number → streamRow
	bGrants   = "grants"   // number of the stream → envelope of its latest grant
	bSums     = "sums"     // number of the stream → its summary, sealed
	bEvents   = "events"   // number → bucket of sealed values by first sequence
	bEntries  = "entries"  // index → record
	bHashes   = "hashes"   // number of the node → hash
	bIDs      = "ids"      // id of the record → index
	bAcked    = "acked"    // index of an acknowledged record
)

var buckets = []string{bState, bSessions, bStreams, bGrants, bSums, bEvents, bEntries, bHashes, bIDs, bAcked}

var (
	kFormat   = []byte("format")
	kSettings = []byte("settings")
	kLog      = []byte("log")
	kSessions = []byte("sessions")
)

const formatVersion = 1

// file is the open database. mu is held shared by whoever uses it and alone by
// whoever puts another in its place.
type file struct {
	mu   sync.RWMutex
	path string
	db   *bolt.DB
	// fail stands in a commit's way, in tests of failing disks only.
	fail func() error
}

var errPanic = fmt.Errorf("%w: the database cannot be read", ErrDamaged)

// guard turns a panic of bbolt, or a fault on its mapped pages, into an error.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	return fn()
}

func (f *file) view(fn func(*bolt.Tx) error) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.db == nil {
		return fmt.Errorf("the store is %w", ErrClosed)
	}
	return guard(func() error { return f.db.View(fn) })
}

func (f *file) update(fn func(*bolt.Tx) error) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.db == nil {
		return fmt.Errorf("the store is %w", ErrClosed)
	}
	return guard(func() error {
		if err := f.db.Update(fn); err != nil {
			return err
		}
		if f.fail != nil {
			return f.fail()
		}
		return nil
	})
}

func (f *file) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.db == nil {
		return nil
	}
	db := f.db
	f.db = nil
	return guard(db.Close)
}

// boltOptions: no list of free pages on disk (it is found again at opening) and
// no statistics but the one that compaction needs. fsync stays on.
func boltOptions() *bolt.Options {
	return &bolt.Options{Timeout: time.Second, NoFreelistSync: true, FreelistType: bolt.FreelistMapType}
}

func openBolt(path string) (db *bolt.DB, err error) {
	err = guard(func() error {
		db, err = bolt.Open(path, 0o600, boltOptions())
		return err
	})
	return db, err
}

// openFile opens the database, makes it where there is none, and puts a
// damaged one into quarantine. used tells that the directory was in use before.
func (s *Store) openFile(used bool) error {
	path := filepath.Join(s.dir, "store.db")
	_ = os.Remove(path + ".tmp") // a creation or compaction that was interrupted
	doubt := false
	if !exists(path) {
		doubt = used
		if used {
			s.note("The database was missing from the state directory and a new one was begun. Nothing is allowed by a setting until it is set again.")
			if err := s.setAside(path); err != nil {
				return err
			}
		}
	} else {
		lastLost, err := precheck(path)
		var db *bolt.DB
		if err == nil {
			if db, err = openBolt(path); err == nil {
				err = checkFormat(db)
			}
			if err != nil && db != nil {
				_ = guard(db.Close)
			}
		}
		switch {
		case err == nil:
			s.file.path, s.file.db = path, db
			if lastLost {
				s.note("A header of the database is damaged: what was written last may be missing. Nothing is allowed by a setting until it is set again.")
				return s.putSettings(settings{Doubt: true})
			}
			return nil
		case errors.Is(err, fs.ErrPermission) || isFull(err) || errors.Is(err, errNewer):
			return err // not damage: a person must act
		}
		doubt = true
		if qerr := s.setAside(path); qerr != nil {
			return fmt.Errorf("put the damaged database aside (%w): %w", err, qerr)
		}
		s.note(fmt.Sprintf("The database was damaged (%v) and was moved to the folder quarantine. A new one was begun; nothing is allowed by a setting until it is set again.", err))
	}
	if err := createFile(path, doubt); err != nil {
		return fmt.Errorf("make database: %w", err)
	}
	db, err := openBolt(path)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	s.file.path, s.file.db = path, db
	return nil
}

var errNewer = errors.New("the database was written by a newer version of aval; install that version again")

// checkFormat looks whether the database is ours and whole at the top.
func checkFormat(db *bolt.DB) error {
	return guard(func() error {
		return db.View(func(tx *bolt.Tx) error {
			for _, name := range buckets {
				if tx.Bucket([]byte(name)) == nil {
					return fmt.Errorf("%w: %s is missing", ErrDamaged, name)
				}
			}
			var v int
			if err := openJSON(bState, kFormat, tx.Bucket([]byte(bState)).Get(kFormat), &v); err != nil {
				return err
			}
			if v > formatVersion {
				return errNewer
			}
			return nil
		})
	})
}

// createFile makes a database whole under another name before it gets its own:
// a power loss during the first writing leaves bbolt files that do not open
// (github.com/etcd-io/bbolt issue 567).
func createFile(path string, doubt bool) error {
	tmp := path + ".tmp"
	db, err := openBolt(tmp)
	if err != nil {
		return err
	}
	err = guard(func() error {
		return db.Update(func(tx *bolt.Tx) error {
			for _, name := range buckets {
				if _, err := tx.CreateBucket([]byte(name)); err != nil {
					return err
				}
			}
			st := tx.Bucket([]byte(bState))
			for _, row := range []struct {
				k []byte
				v any
			}{{kFormat, formatVersion}, {kSettings, settings{Doubt: doubt}}, {kLog, newLogState()}, {kSessions, []string{}}} {
				raw, err := closeJSON(bState, row.k, row.v)
				if err != nil {
					return err
				}
				if err := st.Put(row.k, raw); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err == nil {
		err = db.Sync()
	}
	if cerr := guard(db.Close); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		_ = os.Remove(tmp)
		return err
	}
	return syncDir(filepath.Dir(path))
}

// setAside moves the database and the keys that belong to it into quarantine.
func (s *Store) setAside(path string) error {
	base := filepath.Join(s.dir, "quarantine")
	if err := os.Mkdir(base, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	stamp := s.o.Now().UTC().Format("20060102T150405Z")
	dir := filepath.Join(base, stamp)
	for n := 2; ; n++ {
		err := os.Mkdir(dir, 0o700)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		dir = filepath.Join(base, fmt.Sprintf("%s-%d", stamp, n))
	}
	// Keys first: without them a new database must not start, since the marks
	// of what was withdrawn are on them.
	if err := os.Rename(s.keys.dir, filepath.Join(dir, "keys")); err != nil {
		return err
	}
	if err := os.Mkdir(s.keys.dir, 0o700); err != nil {
		return err
	}
	if err := os.Rename(path, filepath.Join(dir, "store.db")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, d := range []string{dir, base, s.dir} {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	return nil
}

// dropPages gives mapped pages back to the system.
func (s *Store) dropPages() {
	_ = s.file.view(func(tx *bolt.Tx) error {
		if info := tx.DB().Info(); info != nil && info.Data != 0 {
			dropPages(info.Data, tx.Size())
		}
		return nil
	})
}
