package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"aval/agent/store/outbox"
)

const (
	maxBatch  = 1000                   // events in one commit
	lazyDelay = 200 * time.Millisecond // until acknowledgements alone are committed
	idleDelay = 5 * time.Second        // after the last commit, until tidying up
)

// op is one change. Its run may be called again in another transaction, and
// must not change anything but through its txn.
type op struct {
	run    func(t *txn) error
	alone  func() error // instead of run: without a transaction, by itself
	events int          // it adds so many; such ops are refused first when the disk is full
	done   chan error
	taken  bool
}

// queue is what waits for the committer.
type queue struct {
	mu     sync.Mutex
	ops    []*op
	closed bool
	wake   chan struct{} // 1 slot
}

// txn is one transaction: the database's, and copies of the state in memory
// that take the place of the originals once it is committed.
type txn struct {
	s          *Store
	tx         *bolt.Tx
	streams    map[uint64]*stream
	settings   *settings
	log        *logState
	entries    []Entry          // appended to the log
	acked      map[int64]string // index → company, acknowledged
	acks       map[uint64]uint64
	rebuilt    bool // the log was mended; renumbered are its pending records
	renumbered map[string][]int64
	scrub      bool
}

func (t *txn) bucket(name string) *bolt.Bucket { return t.tx.Bucket([]byte(name)) }

// do hands an op to the committer and waits until it is durable or refused.
func (s *Store) do(ctx context.Context, o *op) error {
	o.done = make(chan error, 1)
	q := &s.queue
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return fmt.Errorf("the store is %w", ErrClosed)
	}
	q.ops = append(q.ops, o)
	q.mu.Unlock()
	q.nudge()
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
	}
	// Once the committer has it, only its answer is the truth.
	q.mu.Lock()
	if !o.taken {
		q.ops = remove(q.ops, o)
		q.mu.Unlock()
		return ctx.Err()
	}
	q.mu.Unlock()
	return <-o.done
}

func (q *queue) nudge() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func remove(ops []*op, o *op) []*op {
	for i := range ops {
		if ops[i] == o {
			return append(ops[:i:i], ops[i+1:]...)
		}
	}
	return ops
}

// take removes the next batch: what came while the last commit ran.
func (q *queue) take(closing bool) []*op {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = q.closed || closing
	n, events := 0, 0
	for n < len(q.ops) {
		o := q.ops[n]
		if o.alone != nil && n > 0 || events > 0 && events+o.events > maxBatch {
			break
		}
		o.taken = true
		events += o.events
		n++
		if o.alone != nil {
			break
		}
	}
	batch := q.ops[:n:n]
	if q.ops = q.ops[n:]; len(q.ops) == 0 {
		q.ops = nil
	} else {
		q.nudge()
	}
	return batch
}

// commitLoop is the one goroutine that writes to the database.
func (s *Store) commitLoop() {
	defer close(s.done)
	for {
		select {
		case <-s.queue.wake:
			if batch := s.queue.take(false); len(batch) > 0 {
				s.commit(batch)
				s.idle.Reset(idleDelay)
			}
		case <-s.lazy.C:
			s.commit(nil)
			s.idle.Reset(idleDelay)
		case <-s.idle.C:
			s.tidy()
		case <-s.quit:
			for batch := s.queue.take(true); len(batch) > 0; batch = s.queue.take(true) {
				s.commit(batch)
			}
			s.commit(nil) // acknowledgements
			if err := s.compact(); err != nil {
				s.o.Log.Warn("compact database", "err", err)
			}
			return
		}
	}
}

// commit makes a batch durable and answers each op.
func (s *Store) commit(batch []*op) {
	if len(batch) == 1 && batch[0].alone != nil {
		batch[0].done <- batch[0].alone()
		return
	}
	if len(batch) == 0 && !s.acksWaiting() {
		return
	}
	for {
		t := &txn{s: s, streams: map[uint64]*stream{}, acked: map[int64]string{}}
		bad := -1
		err := s.file.update(func(tx *bolt.Tx) error {
			t.tx = tx
			for i, o := range batch {
				if err := o.run(t); err != nil {
					bad = i
					return err
				}
			}
			return t.finish()
		})
		switch {
		case err == nil:
			t.publish()
			answer(batch, nil)
			return
		case bad >= 0 && !errors.Is(err, errPanic):
			// This one alone is refused; nothing of it is in what is tried again.
			batch[bad].done <- err
			batch = append(batch[:bad:bad], batch[bad+1:]...)
			if len(batch) == 0 {
				return
			}
		case isFull(err) && isFailedWrite(err):
			if batch = s.refuseGrowth(batch); len(batch) == 0 {
				return
			}
			if !s.reserve.release() {
				answer(batch, errDiskFull)
				return
			}
		default:
			answer(batch, fmt.Errorf("write to the database: %w", err))
			s.recover(err)
			return
		}
	}
}

func answer(batch []*op, err error) {
	for _, o := range batch {
		o.done <- err
	}
}

// refuseGrowth answers the ops that add events, since the disk is full, and
// returns the others: endings, records, settings.
func (s *Store) refuseGrowth(batch []*op) []*op {
	s.fullSince.Store(time.Now().UnixNano())
	var rest []*op
	for _, o := range batch {
		if o.events > 0 {
			o.done <- errDiskFull
		} else {
			rest = append(rest, o)
		}
	}
	return rest
}

// roomAgain tells whether appending is worth a try on a disk that was full:
// there is room, or a second has passed since the last try (a page that was
// freed within the database is room too). Appends ask; nothing polls.
func (s *Store) roomAgain() bool {
	since := s.fullSince.Load()
	if since == 0 {
		return true
	}
	if free, err := freeSpace(s.dir); err == nil && free >= 2*reserveSize {
		s.reserve.hold()
		s.fullSince.Store(0)
		return true
	}
	return time.Since(time.Unix(0, since)) > time.Second
}

// recover follows a commit whose outcome is unknown. After a failed fsync the
// kernel may call pages clean that never reached the disk, so the handle is not
// used again, and everything is written anew into another file.
func (s *Store) recover(cause error) {
	s.o.Log.Error("commit failed, the database is opened again", "err", cause)
	if err := s.reopen(); err != nil {
		s.note(fmt.Sprintf("The database could not be opened again after a failed write (%v): nothing more is recorded. Check the disk and restart the service.", err))
		return
	}
	if !errors.Is(cause, errPanic) {
		if err := s.rewrite(); err != nil {
			s.note(fmt.Sprintf("A write to the disk failed (%v) and the database could not be written anew (%v). Check the disk.", cause, err))
		}
	}
}

// reopen closes the database and opens it with all checks.
func (s *Store) reopen() error {
	if err := s.file.close(); err != nil {
		s.o.Log.Warn("close database", "err", err)
	}
	s.file.mu.Lock()
	err := s.openFile(true)
	s.file.mu.Unlock()
	if err == nil {
		err = s.load()
	}
	if err != nil {
		s.file.close()
	}
	return err
}

// rewrite copies the database into a new file that takes its place.
func (s *Store) rewrite() error {
	s.file.mu.Lock()
	defer s.file.mu.Unlock()
	if s.file.db == nil {
		return ErrClosed
	}
	tmp := s.file.path + ".tmp"
	_ = os.Remove(tmp)
	dst, err := openBolt(tmp)
	if err != nil {
		return err
	}
	err = guard(func() error { return bolt.Compact(dst, s.file.db, 1<<20) })
	if err == nil {
		err = dst.Sync()
	}
	if cerr := guard(dst.Close); err == nil {
		err = cerr
	}
	if err != nil {
		_ = os.Remove(tmp)
		return err
	}
	// From here on the old handle is not used any more, whatever happens.
	old := s.file.db
	s.file.db = nil
	if err := guard(old.Close); err != nil {
		s.o.Log.Warn("close database", "err", err)
	}
	if err := os.Rename(tmp, s.file.path); err != nil {
		_ = os.Remove(tmp)
		return errors.Join(err, s.reopenPlain())
	}
	return errors.Join(syncDir(s.dir), s.reopenPlain())
}

func (s *Store) reopenPlain() error {
	db, err := openBolt(s.file.path)
	if err == nil {
		s.file.db = db
	}
	return err
}

// finish writes what the ops left in the transaction's copies.
func (t *txn) finish() error {
	if err := t.acknowledge(); err != nil {
		return err
	}
	for no, st := range t.streams {
		if err := t.flush(st); err != nil {
			return err
		}
		raw, err := closeJSON(bStreams, numKey(no), st.row)
		if err != nil {
			return err
		}
		if err := t.bucket(bStreams).Put(numKey(no), raw); err != nil {
			return err
		}
	}
	return t.finishLog()
}

// acknowledge brings the acknowledgements that came meanwhile into the
// transaction, and makes room in the history.
func (t *txn) acknowledge() error {
	t.s.mu.RLock()
	t.acks = maps.Clone(t.s.acks)
	t.s.mu.RUnlock()
	companies := map[string]bool{}
	for no, seq := range t.acks {
		st := t.stream(no)
		if st == nil || st.row.Erased {
			continue
		}
		if err := t.flush(st); err != nil {
			return err
		}
		q, err := t.queueOf(st)
		if err == nil {
			err = q.Acknowledge(min(seq, st.row.State.Last))
		}
		if err := t.damaged(st, err); err != nil {
			return err
		}
		companies[st.row.Company] = true
	}
	for company := range companies {
		if err := t.evict(company); err != nil {
			return err
		}
	}
	return nil
}

// damaged turns damage of one stream into a mark on it; other errors stay.
func (t *txn) damaged(st *stream, err error) error {
	if !errors.Is(err, outbox.ErrDamaged) {
		return err
	}
	t.s.damage(st, err)
	return nil
}

// publish puts the copies in place.
func (t *txn) publish() {
	s := t.s
	s.mu.Lock()
	for no, st := range t.streams {
		s.streams[no] = st
		s.byName[st.name()] = no
	}
	for no, seq := range t.acks {
		if s.acks[no] == seq {
			delete(s.acks, no)
		}
	}
	if t.settings != nil {
		s.settings = *t.settings
	}
	t.publishLog()
	s.scrub = s.scrub || t.scrub
	s.mu.Unlock()
}

// tidy runs once when nothing was written for a while.
func (s *Store) tidy() {
	s.roomAgain()
	s.reserve.hold()
	if err := s.compact(); err != nil {
		s.o.Log.Warn("compact database", "err", err)
	}
	s.dropPages()
}

// Compact gives space back: it writes the database anew where something was
// erased since, or where the file is more than 8 times what it holds. It is
// also done by itself when the store is idle, and by Close.
func (s *Store) Compact() error {
	return s.do(context.Background(), &op{alone: s.compact})
}

func (s *Store) compact() error {
	s.mu.RLock()
	want := s.scrub
	s.mu.RUnlock()
	if !want {
		err := s.file.view(func(tx *bolt.Tx) error {
			db := tx.DB()
			stats, page := db.Stats(), int64(db.Info().PageSize)
			live := tx.Size() - int64(stats.FreePageN+stats.PendingPageN)*page
			size := tx.Size()
			if info, err := os.Stat(s.file.path); err == nil {
				size = max(size, info.Size())
			}
			want = size > 1<<20 && size > 8*live
			return nil
		})
		if err != nil || !want {
			return err
		}
	}
	err := s.rewrite()
	if isFull(err) && s.reserve.release() {
		err = s.rewrite()
	}
	if err != nil {
		return fmt.Errorf("compact database: %w", err)
	}
	s.reserve.hold()
	s.mu.Lock()
	s.scrub = false
	s.mu.Unlock()
	return nil
}
