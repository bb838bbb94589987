package store

import "time"

// KeptBefore lists a company's sessions that began before a time and are not
// erased, oldest first, from after the cursor of the last one seen, at most max.
func (t *Tx) KeptBefore(company string, before time.Time, after Cursor, max int) (list []Stream, err error) {
	// The index streams_list, read from its end.
	err = t.each(streamColumns+` WHERE s.company = $1 AND s.erased_at = 0 AND s.started_at < $2
		AND s.started_at >= $3 AND (s.started_at > $3 OR s.ref < $4) ORDER BY s.started_at ASC, s.ref DESC LIMIT $5`,
		[]any{company, ns(before), ns(after.StartedAt), after.Ref, int64(max)}, func(scan func(...any) error) error {
			var s Stream
			if err := s.scan(scan); err != nil {
				return err
			}
			list = append(list, s)
			return nil
		})
	return list, err
}
