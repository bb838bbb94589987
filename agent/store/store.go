// Package store keeps on disk what must outlive the service: settings, live
// sessions, the log of signed records, and the sealed events that wait for the
// summarizer or are kept as history.
//
// The one rule that must not be broken: what a call reported as done is durable
// and is read back exactly as it was written, or an error or a note says that it
// is damaged; withdrawn events are never given out for sending, and no damage to
// the database undoes a withdrawal or an erasure.
//
// One bbolt file holds the rows. Keys of sessions, documents and the device's
// key are files of their own beside it: db.go names the buckets, keys.go the
// states of a key file, and quarantine/ holds what was damaged.
package store

import (
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"aval/agent/store/outbox"
)

// Errors that callers tell apart.
var (
	// ErrInUse: another service keeps its data in this directory.
	ErrInUse = errors.New("the state directory is in use by another aval service")
	// ErrUnsafe: the directory is open to others.
	ErrUnsafe = errors.New("the state directory is not safe")
	// ErrForeign: the directory is another user's. It is an ErrUnsafe.
	ErrForeign = fmt.Errorf("%w: it belongs to another user", ErrUnsafe)
	// ErrNotFound: no record has this id.
	ErrNotFound = errors.New("no such record")
	// ErrExists: another record has this id already.
	ErrExists = errors.New("another record has this id")
	// ErrNoStream: the stream was never opened.
	ErrNoStream = errors.New("no such stream of events")
	// ErrErased: the stream's key was destroyed.
	ErrErased = errors.New("the stream of events was erased")
	// ErrWithdrawn: the stream was withdrawn.
	ErrWithdrawn = errors.New("the stream of events was withdrawn")
	// ErrClosed: the stream, or the whole store, takes nothing more.
	ErrClosed = errors.New("closed")
	// ErrFull: the disk or the outbox is full; nothing that was stored is lost.
	ErrFull = errors.New("no room for more events")
	// ErrDamaged: what is stored is not what was written.
	ErrDamaged = outbox.ErrDamaged

	errDiskFull = fmt.Errorf("%w: the disk is full; free some space", ErrFull)
)

// Defaults of Options, and the longest that events wait before recording pauses.
const (
	DefaultMaxUnsent  = 256 << 20 // bytes per company
	DefaultMaxHistory = 200 << 20 // bytes per company
	MaxWait           = 30 * 24 * time.Hour
)

// Options adjusts a store; zero values mean the defaults.
type Options struct {
	Log        *slog.Logger
	Now        func() time.Time
	MaxUnsent  int64 // bytes of events not yet acknowledged, per company
	MaxHistory int64 // bytes of acknowledged events kept, per company
	// Machine is the computer; the state of another one loses its key and the
	// documents named in Bound. Zero: it is not looked at.
	Machine Machine
	Bound   []string
}

// Store is the open state directory. All methods may be used at the same time.
type Store struct {
	dir  string
	o    Options
	lock *os.File
	key  crypto.Signer

	file    file
	keys    keyring
	reserve reserve

	// mu guards what follows: the state as it was last committed, and the marks
	// that take effect at once.
	mu       sync.RWMutex
	notes    []string
	settings settings
	log      logState
	pending  map[string][]int64 // company → indexes of records to be sent, ascending
	streams  map[uint64]*stream
	byName   map[Stream]uint64
	acks     map[uint64]uint64 // acknowledged, not yet committed
	scrub    bool              // something was erased since the last compaction

	queue     queue
	fullSince atomic.Int64 // unix ns of the last refusal by a full disk; 0: none
	changed   chan struct{}
	lazy      *time.Timer // commits acknowledgements when nothing else does
	idle      *time.Timer // tidies up once, some time after the last commit

	closeOnce sync.Once
	closeErr  error
	quit      chan struct{}
	done      chan struct{}
	opening   sync.Mutex // serializes the making of streams
}

// Open opens the state directory dir, making it where it does not exist. A
// second opening gives ErrInUse; a directory that others may write to, or that
// belongs to another user, gives ErrUnsafe. A damaged database is put into
// quarantine, never deleted, and Notes says so.
func Open(dir string, o Options) (opened *Store, err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxUnsent <= 0 {
		o.MaxUnsent = DefaultMaxUnsent
	}
	if o.MaxHistory <= 0 {
		o.MaxHistory = DefaultMaxHistory
	}
	s := &Store{
		dir: dir, o: o,
		keys:    keyring{dir: filepath.Join(dir, "keys"), quarantine: filepath.Join(dir, "quarantine")},
		reserve: reserve{path: filepath.Join(dir, "reserve")},
		changed: make(chan struct{}, 1),
		quit:    make(chan struct{}), done: make(chan struct{}),
		queue: queue{wake: make(chan struct{}, 1)},
	}
	defer func() {
		if err != nil {
			s.file.close()
			if s.lock != nil {
				s.lock.Close()
			}
			err = fmt.Errorf("open state directory %s: %w", dir, err)
		}
	}()
	if err := s.makeDir(); err != nil {
		return nil, err
	}
	keyPath := filepath.Join(dir, "device.key")
	hadKey := exists(keyPath)
	if err := s.openFile(hadKey); err != nil {
		return nil, err
	}
	moved, err := s.bind(keyPath)
	if err != nil {
		return nil, err
	}
	made := false
	if s.key, made, err = deviceKey(keyPath); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		return nil, err
	}
	if made && !moved && (s.log.Size > 0 || len(s.streams) > 0) {
		s.note("The device's key was missing and a new one was made. This computer must be enrolled again.")
	}
	s.reserve.held = exists(s.reserve.path)
	s.reserve.hold()
	s.lazy, s.idle = time.NewTimer(time.Hour), time.NewTimer(time.Hour)
	s.lazy.Stop()
	s.idle.Stop()
	s.dropPages()
	if info, err := os.Stat(s.file.path); err == nil && info.Size() > 8<<20 {
		debug.FreeOSMemory() // finding the free pages of a large file leaves megabytes behind
	}
	go s.commitLoop()
	s.nudge()
	return s, nil
}

// makeDir makes the directory and its folders, checks them and takes the lock.
func (s *Store) makeDir() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if err := checkDir(s.dir); err != nil {
		return err
	}
	lockPath := filepath.Join(s.dir, "lock")
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	ours := len(entries) == 0 || exists(lockPath)
	if s.lock, err = lockFile(lockPath); err != nil {
		return err
	}
	// A directory of somebody else's making that holds other things keeps its
	// mode: every file of ours in it is closed to others anyway.
	if info, err := os.Stat(s.dir); ours && err == nil && info.Mode().Perm() != 0o700 {
		if err := os.Chmod(s.dir, 0o700); err != nil {
			return err
		}
	}
	for _, name := range []string{"keys", "docs"} {
		sub := filepath.Join(s.dir, name)
		if err := os.Mkdir(sub, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := checkDir(sub); err != nil {
			return err
		}
	}
	return syncDir(s.dir)
}

// note keeps a sentence for whoever reads the status.
func (s *Store) note(sentence string) {
	s.mu.Lock()
	s.notes = append(s.notes, sentence)
	s.mu.Unlock()
	s.o.Log.Warn("state directory", "note", sentence)
}

// Notes returns sentences about damage that was met, at opening and since.
func (s *Store) Notes() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return append([]string(nil), s.notes...)
}

// DeviceKey signs for this computer. It holds an Ed25519 key.
func (s *Store) DeviceKey() crypto.Signer { return s.key }

// Changed receives a value when there may be something new to send. One value
// stands for any number of changes.
func (s *Store) Changed() <-chan struct{} { return s.changed }

func (s *Store) nudge() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Close commits what is queued and closes the store. Calls after it, and those
// it overtakes, get ErrClosed.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.quit)
		<-s.done
		s.lazy.Stop()
		s.idle.Stop()
		s.closeErr = s.file.close()
		if err := s.lock.Close(); s.closeErr == nil {
			s.closeErr = err
		}
	})
	return s.closeErr
}
