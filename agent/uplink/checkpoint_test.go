package uplink

import (
	"testing"
	"time"

	"aval/agent/store"
)

// TestLogIsShownSparingly: a log that grows waits its turn with one timer, and a
// server of before is shown nothing; a frame would be a panic here, there is no
// connection. Planted: takes left out of tellLog; due made anew at each change.
func TestLogIsShownSparingly(t *testing.T) {
	src := &memory{info: store.StreamInfo{}, log: 9}
	l, err := New(Config{Server: "https://aval.example.com", Company: "c", Device: "d", Key: key(t), Source: src, ShowLog: time.Minute, Proxy: noNetwork})
	if err != nil {
		t.Fatal(err)
	}
	c := &conn{l: l}
	if err := c.tellLog(); err != nil || c.log.due != nil {
		t.Errorf("a server of before: %v, %v", err, c.log)
	}
	c.log = witness{takes: true, since: 9, told: time.Now()}
	if err := c.tellLog(); err != nil || c.log.due != nil {
		t.Errorf("nothing new: %v, %v", err, c.log)
	}
	src.log = 10
	if err := c.tellLog(); err != nil || c.log.due == nil || c.log.since != 9 {
		t.Errorf("grown: %v, %v", err, c.log)
	}
	due := c.log.due
	src.log = 11
	if err := c.tellLog(); err != nil || c.log.due != due {
		t.Errorf("grown again: %v, %v", err, c.log)
	}
}
