package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"aval/summarizer/summary"
)

// The kinds of term, as the first byte of what is stored.
const (
	anyWord       = 'w' // of the summary, the supporter, the computer or the session's id
	supporterWord = 's'
	deviceWord    = 'd'
	toolIs        = 't' // the others are whole values, compared exactly
	basisIs       = 'b'
	labelIs       = 'l'
	outcomeIs     = 'o'
)

// maxTerms bounds the rows that one session has; a summary has far fewer words.
const maxTerms = 2000

// term is a kind with a word or value.
func term(kind byte, value string) string { return string(kind) + value }

// label is the value of a label: its key, which is the same in every language,
// or its folded words where somebody wrote one of their own.
func label(l summary.Label) string {
	if l.Key != "" {
		return l.Key
	}
	return strings.Join(summary.Words(l.Label), " ")
}

// terms lists what a session is found by, sorted, each once.
func terms(s Stream, sum *summary.Summary) []string {
	var out []string
	words := func(kind byte, text string) {
		for _, w := range summary.Words(text) {
			out = append(out, term(anyWord, w))
			if kind != anyWord {
				out = append(out, term(kind, w))
			}
		}
	}
	words(supporterWord, s.Supporter)
	words(deviceWord, s.DeviceName)
	words(anyWord, s.Session)
	words(anyWord, s.Tool)
	out = append(out, term(toolIs, s.Tool), term(basisIs, string(s.Basis)))
	if sum != nil {
		out = append(out, term(outcomeIs, string(sum.Outcome.State)))
		for _, l := range sum.IssueTypes {
			out = append(out, term(labelIs, label(l)))
		}
		for _, t := range sum.Texts() {
			words(anyWord, t)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), maxTerms)]
}

// index writes what a session is found by, in the transaction that changed it.
func (t *Tx) index(k Key) error {
	s, err := t.Stream(k)
	if err != nil {
		return err
	}
	var sum *summary.Summary
	title := ""
	if s.SummaryVersion > 0 {
		stored, err := t.Summary(k)
		if err != nil {
			return err
		}
		sum = new(summary.Summary)
		if err := json.Unmarshal([]byte(stored.JSON), sum); err != nil {
			return fmt.Errorf("read summary: %w", err)
		}
		title = summary.Clean(sum.Name, 120)
	}
	if err := t.unindex(k); err != nil {
		return err
	}
	if s.ErasedAt.IsZero() {
		for chunk := range slices.Chunk(terms(s, sum), 100) {
			args := []any{k.Company, ns(s.StartedAt), s.Ref}
			var rows []string
			for _, w := range chunk {
				args = append(args, []byte(w))
				rows = append(rows, fmt.Sprintf("($1, $%d, $2, $3)", len(args)))
			}
			if _, err := t.exec(`INSERT INTO session_terms (company, term, started_at, ref) VALUES `+strings.Join(rows, ", "), args...); err != nil {
				return err
			}
		}
	}
	_, err = t.exec(`UPDATE streams SET has_terms = TRUE, title = $4 WHERE company = $1 AND device = $2 AND session = $3`, k.Company, k.Device, k.Session, title)
	return err
}

func (t *Tx) unindex(k Key) error {
	_, err := t.exec(`DELETE FROM session_terms WHERE company = $1 AND ref = $2`, k.Company, k.Ref())
	return err
}

// IndexOld writes what sessions of an older program's time are found by, at most
// max of them. n is how many it did; 0: all are done.
func (t *Tx) IndexOld(max int) (n int, err error) {
	var keys []Key
	err = t.each(`SELECT company, device, session FROM streams WHERE has_terms = FALSE ORDER BY started_at DESC LIMIT $1`, []any{int64(max)},
		func(scan func(...any) error) error {
			var k Key
			if err := scan(&k.Company, &k.Device, &k.Session); err != nil {
				return err
			}
			keys = append(keys, k)
			return nil
		})
	for _, k := range keys {
		if err := t.index(k); err != nil {
			return n, err
		}
		n++
	}
	return n, err
}

// AnyOld tells whether IndexOld has something to do.
func (t *Tx) AnyOld() (bool, error) {
	var ref string
	err := t.one(`SELECT ref FROM streams WHERE has_terms = FALSE LIMIT 1`, nil, &ref)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// ListState is where a session stands, for who looks through the list.
type ListState string

// The states of a list.
const (
	ListRecording  ListState = "recording"
	ListSoon       ListState = "soon" // the summary is being written, or will be tried again
	ListNoCredit   ListState = "no-credit"
	ListFailed     ListState = "failed"
	ListSummarised ListState = "summarised"
	ListErased     ListState = "erased"
)

// ListStates lists all of them.
func ListStates() []ListState {
	return []ListState{ListSummarised, ListRecording, ListSoon, ListNoCredit, ListFailed, ListErased}
}

// job is the job's part of a state.
func jobIn(states string) string {
	return ` AND s.erased_at = 0 AND EXISTS (SELECT 1 FROM jobs j WHERE j.company = s.company AND j.state IN (` + states + `) AND j.ref = s.ref AND j.kind = 'summary')`
}

var listStates = map[ListState]string{
	ListRecording:  ` AND s.ended_at = 0 AND s.withdrawn_at = 0 AND s.erased_at = 0`,
	ListSoon:       jobIn(`'ready', 'leased'`),
	ListNoCredit:   jobIn(`'waiting'`),
	ListFailed:     jobIn(`'failed'`),
	ListSummarised: ` AND s.erased_at = 0 AND EXISTS (SELECT 1 FROM summaries m WHERE m.company = s.company AND m.device = s.device AND m.session = s.session)`,
	ListErased:     ` AND s.erased_at > 0`,
}

// Query is what sessions are looked for by; what is empty counts for all.
type Query struct {
	// Text, Supporter and Device are words: each must begin a word of the session,
	// or of the supporter's or computer's name, whatever its case and accents.
	Text, Supporter, Device string
	// Tool, Basis, Label and Outcome are whole values; Label is a key.
	Tool, Basis, Label, Outcome string
	From, To                    time.Time // of the session's start; To is not in it
	State                       ListState
}

// maxWords is how many words of a query count.
const maxWords = 8

// cond is one condition on a session's terms.
type cond struct {
	term   string
	prefix bool // a term that begins so, instead of that term
}

func (q Query) conds() (out []cond) {
	words := func(kind byte, text string) {
		for i, w := range summary.Words(text) {
			if i < maxWords {
				out = append(out, cond{term(kind, w), true})
			}
		}
	}
	words(anyWord, q.Text)
	words(supporterWord, q.Supporter)
	words(deviceWord, q.Device)
	exact := func(kind byte, value string) {
		if value != "" {
			out = append(out, cond{term(kind, value), false})
		}
	}
	exact(toolIs, q.Tool)
	exact(basisIs, q.Basis)
	exact(labelIs, q.Label)
	exact(outcomeIs, q.Outcome)
	return out
}

// Found is one page of a search.
type Found struct {
	Streams []Stream
	// More: there are older ones, after Next. Where Streams is shorter than a page
	// nevertheless, the search has stopped there to stay fast.
	More bool
	Next Cursor
}

const (
	// manyTerms: a beginning that more words have is too broad to start from.
	manyTerms = 64
	// looked is how many candidates are fetched at once.
	looked = 250
	// few is how large a set may be that is sorted as a whole, and up to where
	// sizes are told apart.
	few = 2000
)

// lookedMost is how many candidates one page may look at.
var lookedMost = 2000

// Search lists the sessions of a company that fit q, newest first, from after
// the cursor of the last one seen (zero: from the newest), at most max of them.
// Its time does not grow with the number of sessions: it starts from the rarest
// of the conditions, and where the others then leave too little, it stops and
// says where to go on. Erased sessions have no words any more.
func (t *Tx) Search(company string, q Query, after Cursor, max int) (found Found, err error) {
	state, ok := listStates[q.State]
	if !ok && q.State != "" {
		return found, fmt.Errorf("search sessions: no state %q", q.State)
	}
	if !q.To.IsZero() && (after.Ref == "" || after.StartedAt.After(q.To)) {
		after = Cursor{StartedAt: q.To.Add(-1), Ref: ""} // the refs of that instant are all still to come
	}
	conds := q.conds()
	from, conds, err := t.narrowest(company, q, conds)
	if err != nil || from == nil {
		return found, err
	}
	if t.sight != nil {
		from, conds = t.sighted(company), q.conds()
	}
	chunk := max + 1
	if len(conds) > 0 || state != "" {
		chunk = looked
	}
	for seen := 0; ; {
		list, err := from(after, chunk)
		if err != nil {
			return found, err
		}
		end := len(list) == 0
		if i := slices.IndexFunc(list, func(c Cursor) bool { return c.StartedAt.Before(q.From) }); i >= 0 {
			list, end = list[:i], true
		}
		if seen += len(list); len(list) > 0 {
			after = list[len(list)-1]
			if err := t.fitting(company, list, state, conds, &found.Streams); err != nil {
				return found, err
			}
		}
		switch {
		case len(found.Streams) > max:
			found.Streams, found.More = found.Streams[:max], true
			found.Next = found.Streams[max-1].Cursor()
			return found, nil
		case end:
			return found, nil
		case seen >= lookedMost:
			found.More, found.Next = true, after
			return found, nil
		}
	}
}

// candidates lists places of the list, newest first, after a cursor.
type candidates func(after Cursor, n int) ([]Cursor, error)

// narrowest finds where to start from, and the conditions that are still to be
// looked at then. No candidates: nothing fits.
func (t *Tx) narrowest(company string, q Query, conds []cond) (candidates, []cond, error) {
	best, bestSize := -1, int64(few+1)
	var bestTerms [][]byte
	for i, c := range conds {
		list := [][]byte{[]byte(c.term)}
		if c.prefix {
			var err error
			if list, err = t.begin(company, c.term); err != nil {
				return nil, nil, err
			}
		}
		if len(list) > manyTerms {
			continue // too broad, and not rare
		}
		var size int64
		for _, term := range list {
			var n int64
			if err := t.one(`SELECT COUNT(*) FROM (SELECT 1 FROM session_terms WHERE company = $1 AND term = $2 LIMIT $3) AS c`,
				[]any{company, term, int64(few)}, &n); err != nil {
				return nil, nil, err
			}
			if size += n; size > few {
				break
			}
		}
		if size == 0 {
			return nil, nil, nil
		}
		// Of those that are all common, the first that can be walked through.
		if size = min(size, few+1); best < 0 || size < bestSize {
			best, bestSize, bestTerms = i, size, list
		}
	}
	if best >= 0 {
		return func(after Cursor, n int) ([]Cursor, error) { return t.having(company, bestTerms, after, n) }, slices.Delete(slices.Clone(conds), best, best+1), nil
	}
	var set []Cursor
	var small bool
	var err error
	switch q.State {
	case ListFailed:
		set, small, err = t.jobsIn(company, "failed")
	case ListNoCredit:
		set, small, err = t.jobsIn(company, "waiting")
	case ListRecording:
		return t.streamsWhere(company, ` AND ended_at = 0`), conds, nil
	case ListErased:
		return t.streamsWhere(company, ` AND erased_at > 0`), conds, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if small {
		return func(after Cursor, n int) ([]Cursor, error) {
			i := 0
			if !after.zero() {
				i = slices.IndexFunc(set, func(c Cursor) bool { return after.before(c) })
			}
			if i < 0 {
				return nil, nil
			}
			return set[i:min(i+n, len(set))], nil
		}, conds, nil
	}
	return t.streamsWhere(company, ""), conds, nil
}

func (c Cursor) zero() bool { return c.StartedAt.IsZero() && c.Ref == "" }

// before tells whether c stands before d in the list.
func (c Cursor) before(d Cursor) bool {
	return c.StartedAt.After(d.StartedAt) || c.StartedAt.Equal(d.StartedAt) && c.Ref < d.Ref
}

// begin lists the stored terms that begin with prefix, one more than manyTerms at
// most: from one to the next by the index, however many sessions have each.
func (t *Tx) begin(company, prefix string) (list [][]byte, err error) {
	from, end := []byte(prefix), append([]byte(prefix), 0xff) // 0xff is in no UTF-8
	for len(list) <= manyTerms {
		var next []byte
		err := t.one(`SELECT term FROM session_terms WHERE company = $1 AND term >= $2 AND term < $3 ORDER BY term LIMIT 1`,
			[]any{company, from, end}, &next)
		if errors.Is(err, ErrNotFound) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		list = append(list, next)
		from = append(bytes.Clone(next), 0)
	}
	return list, nil
}

// place is the condition for rows after a cursor in the list: the first half is
// what an index finds, the second what it cannot.
func place(after Cursor, args []any) (string, []any) {
	if after.zero() {
		return "", args
	}
	n := len(args)
	return fmt.Sprintf(` AND started_at <= $%d AND (started_at < $%d OR ref > $%d)`, n+1, n+1, n+2), append(args, ns(after.StartedAt), after.Ref)
}

func (t *Tx) cursors(query string, args []any) (list []Cursor, err error) {
	err = t.each(query, args, func(scan func(...any) error) error {
		var c Cursor
		if err := scan(stamp{&c.StartedAt}, &c.Ref); err != nil {
			return err
		}
		list = append(list, c)
		return nil
	})
	return list, err
}

// having lists the sessions that have one of the terms.
func (t *Tx) having(company string, terms [][]byte, after Cursor, n int) (list []Cursor, err error) {
	for _, term := range terms {
		where, args := place(after, []any{company, term, int64(n)})
		part, err := t.cursors(`SELECT started_at, ref FROM session_terms WHERE company = $1 AND term = $2`+where+` ORDER BY started_at DESC, ref LIMIT $3`, args)
		if err != nil {
			return nil, err
		}
		list = append(list, part...)
	}
	if len(terms) > 1 {
		slices.SortFunc(list, func(a, b Cursor) int {
			if d := b.StartedAt.Compare(a.StartedAt); d != 0 {
				return d
			}
			return strings.Compare(a.Ref, b.Ref)
		})
		list = slices.Compact(list)
	}
	return list[:min(n, len(list))], nil
}

// streamsWhere walks the list of all sessions.
func (t *Tx) streamsWhere(company, more string) candidates {
	return func(after Cursor, n int) ([]Cursor, error) {
		where, args := place(after, []any{company, int64(n)})
		return t.cursors(`SELECT started_at, ref FROM streams WHERE company = $1`+more+where+` ORDER BY started_at DESC, ref LIMIT $2`, args)
	}
}

// jobsIn lists the sessions whose summary job is in a state, where they are few.
func (t *Tx) jobsIn(company, state string) (list []Cursor, small bool, err error) {
	list, err = t.cursors(`SELECT s.started_at, s.ref FROM jobs j JOIN streams s ON s.company = j.company AND s.ref = j.ref
		WHERE j.company = $1 AND j.state = $2 AND j.kind = 'summary' LIMIT $3`, []any{company, state, int64(few + 1)})
	slices.SortFunc(list, func(a, b Cursor) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	return list, len(list) <= few, err
}

// fitting adds to out those of the candidates that fit everything else.
func (t *Tx) fitting(company string, list []Cursor, state string, conds []cond, out *[]Stream) error {
	args := []any{company}
	arg := func(v any) string { args = append(args, v); return fmt.Sprintf("$%d", len(args)) }
	refs := make([]string, len(list))
	for i, c := range list {
		refs[i] = arg(c.Ref)
	}
	where := state + t.seen(arg)
	for _, c := range conds {
		has := ` AND EXISTS (SELECT 1 FROM session_terms w WHERE w.company = s.company AND w.ref = s.ref AND w.term `
		if c.prefix {
			where += has + `>= ` + arg([]byte(c.term)) + ` AND w.term < ` + arg(append([]byte(c.term), 0xff)) + `)`
		} else {
			where += has + `= ` + arg([]byte(c.term)) + `)`
		}
	}
	// Not by the list of the company: without statistics the embedded database takes
	// its index for better than the refs, and walks through all sessions.
	return t.each(streamColumns+` WHERE s.company || '' = $1 AND s.ref IN (`+strings.Join(refs, ", ")+`)`+where+` ORDER BY s.started_at DESC, s.ref`, args,
		func(scan func(...any) error) error {
			var s Stream
			if err := s.scan(scan); err != nil {
				return err
			}
			*out = append(*out, s)
			return nil
		})
}

// ownTerms lists the terms of a kind that the newest sessions in sight have: what
// others have must not be told by a list of choices.
func (t *Tx) ownTerms(company, kind string) (list [][]byte, err error) {
	args := []any{company}
	arg := func(v any) string { args = append(args, v); return fmt.Sprintf("$%d", len(args)) }
	own := `SELECT s.ref FROM streams s WHERE s.company = $1` + t.seen(arg) + ` ORDER BY s.started_at DESC, s.ref LIMIT ` + arg(int64(few))
	err = t.each(`SELECT DISTINCT w.term FROM session_terms w WHERE w.company = $1 AND w.ref IN (`+own+`) AND w.term >= `+arg([]byte(kind))+
		` AND w.term < `+arg(append([]byte(kind), 0xff))+` ORDER BY w.term LIMIT `+arg(int64(maxValues)), args, func(scan func(...any) error) error {
		var term []byte
		err := scan(&term)
		list = append(list, bytes.Clone(term))
		return err
	})
	return list, err
}

// maxValues is how many values of a field a list of choices has.
const maxValues = 60

// Tools and Labels are the values that sessions of a company have, of those that
// are in sight, sorted, at most 60: for lists of choices.
func (t *Tx) Tools(company string) ([]string, error)  { return t.values(company, toolIs) }
func (t *Tx) Labels(company string) ([]string, error) { return t.values(company, labelIs) }

func (t *Tx) values(company string, kind byte) (out []string, err error) {
	list, err := t.begin(company, string(kind))
	if t.sight != nil {
		list, err = t.ownTerms(company, string(kind))
	}
	for _, v := range list[:min(len(list), maxValues)] {
		if len(v) > 1 {
			out = append(out, string(v[1:]))
		}
	}
	return out, err
}
