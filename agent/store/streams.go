package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	berrors "go.etcd.io/bbolt/errors"

	"aval/agent/event"
	"aval/agent/store/outbox"
)

// Stream names one company's part of a session.
type Stream struct{ Company, Session string }

// Item is one event with the id of the grant that covers it.
type Item = outbox.Item

// StreamInfo is what is known of a stream.
type StreamInfo struct {
	Stream
	// GrantID and Grant are the latest grant and its signed envelope.
	GrantID string
	Grant   []byte
	// Last is the newest event, Acked the newest that was acknowledged.
	Last, Acked uint64
	// Closed: takes no more events. Withdrawn: gives none for sending. Erased:
	// nothing of it can be read any more.
	Closed, Withdrawn, Erased bool
	// Held: gives none for sending until Release. HeldUntil is when it is to be
	// erased unless it is released; zero while it takes events.
	Held      bool
	HeldUntil time.Time
	// DeleteAsked: somebody has asked to delete it, of whom it is not known whose
	// hand it was. It gives none for sending until Release, and takes no grant.
	DeleteAsked bool
	// Damaged: some of it is not what was written, and it takes no more events.
	Damaged bool
	// Unsent is how many bytes wait on disk.
	Unsent   int64
	OpenedAt time.Time
}

// streamRow is a stream as it is stored.
type streamRow struct {
	No       uint64       `json:"no"`
	Company  string       `json:"company"`
	Session  string       `json:"session"`
	GrantID  string       `json:"grant"`
	OpenedAt time.Time    `json:"opened_at"`
	Closed   bool         `json:"closed,omitempty"`
	Erased   bool         `json:"erased,omitempty"`
	Held     bool         `json:"held,omitempty"`
	Until    time.Time    `json:"held_until,omitzero"`
	Asked    bool         `json:"delete_asked,omitempty"`
	State    outbox.State `json:"state"`
}

// marks take effect at once and for every copy of a stream. Guarded by Store.mu.
type marks struct {
	withdrawn, erased, damaged bool
	held                       bool        // as streamRow.Asked; true before that is durable
	key                        *outbox.Key // read when first needed
}

// stream is a stream in memory.
type stream struct {
	row   streamRow
	marks *marks
	added []event.Event // of this transaction, not yet sealed
	key   *outbox.Key   // what seals them
}

func (st *stream) name() Stream { return Stream{st.row.Company, st.row.Session} }

// next is the sequence that the next event gets.
func (st *stream) next() uint64 { return st.row.State.Last + uint64(len(st.added)) + 1 }

// stream returns the transaction's copy of a stream, nil if there is none.
func (t *txn) stream(no uint64) *stream {
	if st := t.streams[no]; st != nil {
		return st
	}
	t.s.mu.RLock()
	st := t.s.streams[no]
	t.s.mu.RUnlock()
	if st == nil {
		return nil
	}
	c := *st
	c.added, c.key = nil, nil
	t.streams[no] = &c
	return &c
}

// find returns the transaction's copy by name.
func (t *txn) find(name Stream) *stream {
	for _, st := range t.streams {
		if st.name() == name {
			return st
		}
	}
	t.s.mu.RLock()
	no, ok := t.s.byName[name]
	t.s.mu.RUnlock()
	if !ok {
		return nil
	}
	return t.stream(no)
}

func (t *txn) queueOf(st *stream) (outbox.Queue, error) {
	b := t.bucket(bEvents).Bucket(numKey(st.row.No))
	if b == nil {
		return outbox.Queue{}, fmt.Errorf("%w: the events of a stream are missing", ErrDamaged)
	}
	return outbox.Queue{B: b, Name: outbox.Name(st.name()), State: &st.row.State}, nil
}

// flush seals what was added under the grant that is valid up to here.
func (t *txn) flush(st *stream) error {
	if len(st.added) == 0 {
		return nil
	}
	q, err := t.queueOf(st)
	if err != nil {
		return err
	}
	q.Key = st.key
	err = q.Add(st.row.GrantID, t.s.o.Now(), st.added)
	st.added = nil
	return err
}

// evict keeps a company's history within its limit, oldest streams first.
func (t *txn) evict(company string) error {
	over := -t.s.o.MaxHistory
	var nos []uint64
	t.s.mu.RLock()
	for no, st := range t.s.streams {
		if st.row.Company == company {
			nos = append(nos, no)
		}
	}
	t.s.mu.RUnlock()
	state := func(no uint64) outbox.State {
		if st := t.streams[no]; st != nil {
			return st.row.State
		}
		t.s.mu.RLock()
		defer t.s.mu.RUnlock()
		return t.s.streams[no].row.State
	}
	for _, no := range nos {
		over += state(no).Bytes - state(no).Unsent
	}
	slices.Sort(nos)
	for _, no := range nos {
		if s := state(no); over <= 0 || s.Bytes == s.Unsent {
			continue
		}
		st := t.stream(no)
		q, err := t.queueOf(st)
		var freed int64
		if err == nil {
			freed, err = q.Evict(over)
		}
		if err := t.damaged(st, err); err != nil {
			return err
		}
		over -= freed
	}
	return nil
}

// sessionKey reads a stream's key once.
func (s *Store) sessionKey(st *stream) (*outbox.Key, error) {
	s.mu.RLock()
	m := *st.marks
	s.mu.RUnlock()
	switch {
	case m.erased:
		return nil, ErrErased
	case m.key != nil:
		return m.key, nil
	}
	k, err := s.keys.load(st.name().hash())
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.marks.erased {
		return nil, ErrErased
	}
	st.marks.key = k
	return k, nil
}

// damage marks a stream, once, and says so.
func (s *Store) damage(st *stream, err error) {
	s.mu.Lock()
	first := !st.marks.damaged
	st.marks.damaged = true
	s.mu.Unlock()
	if first {
		s.note(fmt.Sprintf("What was kept of session %s is damaged (%v). It takes no more events; what is still whole can be read.", st.row.Session, err))
	}
}

// get returns the committed state of a stream and its marks.
func (s *Store) get(name Stream) (*stream, marks, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	no, ok := s.byName[name]
	if !ok {
		return nil, marks{}, fmt.Errorf("%w: %s", ErrNoStream, name.Session)
	}
	st := s.streams[no]
	return st, *st.marks, nil
}

// OpenStream begins a stream under a grant, or lets a later grant apply to the
// events that follow. envelope is the signed grant. It is durable on return,
// and so is the session's key, which is made once.
func (s *Store) OpenStream(name Stream, grantID string, envelope []byte) error {
	return s.openStream(name, grantID, envelope, false)
}

// OpenHeld is OpenStream for a stream of which nothing may be sent before
// Release. A stream that is held stays so whatever grant follows.
func (s *Store) OpenHeld(name Stream, grantID string, envelope []byte) error {
	return s.openStream(name, grantID, envelope, true)
}

func (s *Store) openStream(name Stream, grantID string, envelope []byte, held bool) error {
	if name.Company == "" || name.Session == "" || grantID == "" || len(grantID) > 64 {
		return fmt.Errorf("open stream: company, session or grant is missing")
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	m := &marks{}
	if _, _, err := s.get(name); errors.Is(err, ErrNoStream) {
		key, err := s.keys.create(name.hash())
		if isFull(err) {
			err = errDiskFull
		}
		if err != nil {
			return fmt.Errorf("open stream: %w", err)
		}
		m.key = key
	}
	made := false
	err := s.do(context.Background(), &op{run: func(t *txn) error {
		st := t.find(name)
		if st == nil {
			made = true
			st = t.newStream(name, m)
			if _, err := t.bucket(bEvents).CreateBucket(numKey(st.row.No)); err != nil {
				return err
			}
		} else if err := s.writable(st); err != nil {
			return err
		} else if st.row.Asked {
			return fmt.Errorf("the stream of events is %w: it is to be deleted", ErrClosed)
		}
		if err := t.flush(st); err != nil {
			return err
		}
		st.row.GrantID = grantID
		st.row.Held = st.row.Held || held
		return t.bucket(bGrants).Put(numKey(st.row.No), closeRow(bGrants, numKey(st.row.No), envelope))
	}})
	if err != nil {
		return fmt.Errorf("open stream: %w", err)
	}
	if made {
		if err := s.keys.move(name.hash(), keyNew, keyLive); err != nil {
			return fmt.Errorf("open stream: %w", err)
		}
	}
	s.nudge()
	return nil
}

func (t *txn) newStream(name Stream, m *marks) *stream {
	no := uint64(1)
	t.s.mu.RLock()
	for n := range t.s.streams {
		no = max(no, n+1)
	}
	t.s.mu.RUnlock()
	for n := range t.streams {
		no = max(no, n+1)
	}
	st := &stream{marks: m, row: streamRow{No: no, Company: name.Company, Session: name.Session,
		OpenedAt: t.s.o.Now().UTC(), State: outbox.NewState()}}
	t.streams[no] = st
	return st
}

// writable says why a stream takes no more events.
func (s *Store) writable(st *stream) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case st.row.Erased || st.marks.erased:
		return ErrErased
	case st.marks.withdrawn:
		return ErrWithdrawn
	case st.marks.damaged:
		return ErrDamaged
	case st.row.Closed:
		return fmt.Errorf("the stream of events is %w", ErrClosed)
	}
	return nil
}

// Append stores events at the end of a stream and returns the sequence of the
// last one; Session and Seq of evs are set by the store. On return without an
// error they are durable. ctx is only heeded until the committer takes them:
// after that the answer is awaited, so that it is always the truth.
//
// Errors: ErrNoStream, ErrErased, ErrWithdrawn, ErrClosed, ErrDamaged, and
// ErrFull when the disk is full, when more than MaxUnsent bytes wait for the
// company, or when something has waited longer than MaxWait.
func (s *Store) Append(ctx context.Context, name Stream, evs []event.Event) (last uint64, err error) {
	if len(evs) == 0 {
		return 0, errors.New("append events: none given")
	}
	if !s.roomAgain() {
		return 0, fmt.Errorf("append events: %w", errDiskFull)
	}
	err = s.do(ctx, &op{events: len(evs), run: func(t *txn) error {
		st := t.find(name)
		if st == nil {
			return fmt.Errorf("%w: %s", ErrNoStream, name.Session)
		}
		if err := s.writable(st); err != nil {
			return err
		}
		// A key that cannot be had refuses this op alone, not the whole commit.
		key, err := s.sessionKey(st)
		if err != nil {
			return err
		}
		if err := s.quota(name.Company); err != nil {
			return err
		}
		last = st.next() + uint64(len(evs)) - 1
		st.added, st.key = append(st.added, evs...), key
		return nil
	}})
	if err != nil {
		return 0, fmt.Errorf("append events: %w", err)
	}
	s.nudge()
	return last, nil
}

// quota refuses events of a company that has too much, or too old, to be sent.
func (s *Store) quota(company string) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	unsent, oldest := int64(0), int64(0)
	for _, st := range s.streams {
		if st.row.Company != company || st.marks.withdrawn || st.marks.erased {
			continue
		}
		unsent += st.row.State.Unsent
		if o := st.row.State.Oldest; o != 0 && (oldest == 0 || o < oldest) {
			oldest = o
		}
	}
	switch {
	case unsent >= s.o.MaxUnsent:
		return fmt.Errorf("%w: %d MiB wait for the summarizer", ErrFull, unsent>>20)
	case oldest != 0 && s.o.Now().Unix()-oldest > int64(MaxWait/time.Second):
		return fmt.Errorf("%w: events have waited for the summarizer for more than 30 days", ErrFull)
	}
	return nil
}

// CloseStream ends a stream: no further Append. What waits is still given out.
func (s *Store) CloseStream(name Stream) error {
	err := s.do(context.Background(), &op{run: func(t *txn) error {
		st := t.find(name)
		if st == nil {
			return fmt.Errorf("%w: %s", ErrNoStream, name.Session)
		}
		if (st.row.Held || st.row.Asked) && st.row.Until.IsZero() {
			st.row.Until = s.o.Now().UTC().Add(HeldFor)
		}
		st.row.Closed = true
		return nil
	}})
	if err != nil {
		return fmt.Errorf("close stream: %w", err)
	}
	s.nudge()
	return nil
}

// Withdraw ends the sending of a stream: from now on Read gives nothing, and
// Append is refused. The mark is durable on return; it holds in this process
// even where an error is returned. It needs no space on the disk.
func (s *Store) Withdraw(name Stream) error {
	st, m, err := s.get(name)
	if err != nil {
		return fmt.Errorf("withdraw: %w", err)
	}
	if m.erased {
		return nil
	}
	s.mu.Lock()
	st.marks.withdrawn = true
	s.mu.Unlock()
	s.opening.Lock() // an opening under way gives the key file its name first
	defer s.opening.Unlock()
	if err := s.keys.withdraw(name.hash()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("withdraw: %w", err)
	} else if err != nil && !s.erased(st) {
		return fmt.Errorf("withdraw: the session's key is missing: %w", err)
	}
	return nil
}

func (s *Store) erased(st *stream) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return st.marks.erased
}

// Erase destroys a stream's key, then removes its events, waiting ones and
// history. What it began is finished at the next opening. Compact then takes
// the sealed remains out of the file too.
func (s *Store) Erase(name Stream) error {
	st, _, err := s.get(name)
	unknown := errors.Is(err, ErrNoStream)
	if !unknown {
		s.mu.Lock()
		st.marks.erased, st.marks.key = true, nil
		s.mu.Unlock()
	}
	found, err := s.keys.destroy(name.hash())
	switch {
	case err != nil:
		return fmt.Errorf("erase: %w", err)
	case unknown && !found:
		return fmt.Errorf("erase: %w: %s", ErrNoStream, name.Session)
	case unknown: // it was in a database in quarantine
		return nil
	}
	if err := s.do(context.Background(), &op{run: func(t *txn) error { return t.erase(t.find(name)) }}); err != nil {
		return fmt.Errorf("erase: the key is destroyed, but the rows remain: %w", err)
	}
	return nil
}

// erase removes the rows of a stream whose key is gone.
func (t *txn) erase(st *stream) error {
	if st == nil || st.row.Erased {
		return nil
	}
	st.added = nil
	for _, b := range []string{bEvents} {
		if err := t.bucket(b).DeleteBucket(numKey(st.row.No)); err != nil && !errors.Is(err, berrors.ErrBucketNotFound) {
			return err
		}
	}
	if err := t.bucket(bSums).Delete(numKey(st.row.No)); err != nil {
		return err
	}
	st.row.Erased, st.row.Closed = true, true
	last, acked := st.row.State.Last, st.row.State.Acked
	t.s.mu.RLock()
	acked = max(acked, t.s.acks[st.row.No])
	t.s.mu.RUnlock()
	st.row.State = outbox.State{First: last + 1, Last: last, Acked: acked, Settled: last}
	t.scrub = true
	return nil
}
