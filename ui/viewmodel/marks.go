package viewmodel

import (
	"slices"
	"strings"

	"aval/agent/ipc"
)

// Mark stands for a character that cannot be drawn: one that every font has.
const Mark = '?'

// Marked is q with a mark in each name for every character that cannot be drawn.
// Who connects chooses the names: one in a rare script must neither be shown as
// nothing nor decide in which way the person is asked.
func Marked(q ipc.Question, draws func(rune) bool) ipc.Question {
	mark := func(s string) string {
		return strings.Map(func(r rune) rune {
			if draws(r) || Clean(string(r), 1) == "" { // Clean takes out what says nothing
				return r
			}
			return Mark
		}, s)
	}
	q.Supporter, q.Address, q.Tool = mark(q.Supporter), mark(q.Address), mark(q.Tool)
	q.Companies = slices.Clone(q.Companies)
	for i := range q.Companies {
		c := &q.Companies[i]
		c.Name, c.Engine, c.Readers = mark(c.Name), mark(c.Engine), mark(c.Readers)
	}
	return q
}

// Outside is everything in q that comes from outside and is shown, in one.
func Outside(q ipc.Question) string {
	var all strings.Builder
	Marked(q, func(r rune) bool {
		if Clean(string(r), 1) != "" {
			all.WriteRune(r)
		}
		return true
	})
	return all.String()
}
