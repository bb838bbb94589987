package torture

import (
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	f := open(t, "")
	for i := range 25 {
		t0 := time.Now()
		s, b := f.Begin()
		q, err := f.WaitQuestion(f.Person, 30*time.Second)
		t1 := time.Since(t0)
		<-b
		if err != nil { t.Fatal(err) }
		f.Person.SavePicture("/tmp/zz-last.png")
		err = q.WaitReady()
		if err != nil {
			t.Log(i, t1, time.Since(t0), err)
			f.Person.SavePicture("/tmp/zz" + string(rune('a'+i)) + ".png")
		} else {
			f.Person.HandClick(q.Yes)
			f.Wait("the end of the question", 3*time.Second, func() (bool, error) { return q.Gone(), nil })
		}
		row, err := f.settled(s)
		t.Log(i, t1, time.Since(t0), row.Outcome, err)
	}
}
