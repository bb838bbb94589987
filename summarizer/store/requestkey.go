package store

import "time"

// RequestKey is a request that named a key, and what it was answered.
type RequestKey struct {
	Company, Actor, Key string
	Request             []byte // SHA-256 of it
	Status              int64  // 0: it is being done
	Headers             string // JSON
	Body                []byte // sealed
	CreatedAt           time.Time
}

// InsertRequestKey begins a request; ErrExists where its key is known.
func (t *Tx) InsertRequestKey(k RequestKey) error {
	n, err := t.exec(`INSERT INTO request_keys (company, actor, key, request, status, headers, body, created_at)
		VALUES ($1, $2, $3, $4, 0, '{}', $5, $6) ON CONFLICT (company, actor, key) DO NOTHING`, k.Company, k.Actor, k.Key, k.Request, []byte{}, ns(k.CreatedAt))
	if err == nil && n == 0 {
		return ErrExists
	}
	return err
}

// RequestKey returns what is known of a key, or ErrNotFound.
func (t *Tx) RequestKey(company, actor, key string) (k RequestKey, err error) {
	k.Company, k.Actor, k.Key = company, actor, key
	err = t.one(`SELECT request, status, headers, body, created_at FROM request_keys WHERE company = $1 AND actor = $2 AND key = $3`,
		[]any{company, actor, key}, &k.Request, &k.Status, &k.Headers, &k.Body, stamp{&k.CreatedAt})
	return k, err
}

// TouchRequestKey begins a request anew that was not finished.
func (t *Tx) TouchRequestKey(k RequestKey) error {
	n, err := t.exec(`UPDATE request_keys SET created_at = $4 WHERE company = $1 AND actor = $2 AND key = $3 AND status = 0`, k.Company, k.Actor, k.Key, ns(k.CreatedAt))
	return found(n, err)
}

// FinishRequestKey keeps the answer.
func (t *Tx) FinishRequestKey(k RequestKey) error {
	n, err := t.exec(`UPDATE request_keys SET status = $4, headers = $5, body = $6 WHERE company = $1 AND actor = $2 AND key = $3`,
		k.Company, k.Actor, k.Key, k.Status, k.Headers, k.Body)
	return found(n, err)
}

// DeleteRequestKey forgets a key.
func (t *Tx) DeleteRequestKey(k RequestKey) error {
	_, err := t.exec(`DELETE FROM request_keys WHERE company = $1 AND actor = $2 AND key = $3`, k.Company, k.Actor, k.Key)
	return err
}

// DropRequestKeys forgets the keys of all companies that are older than before.
func (t *Tx) DropRequestKeys(before time.Time) error {
	_, err := t.exec(`DELETE FROM request_keys WHERE created_at < $1`, ns(before))
	return err
}
