// Package link tests both ends of the way from agent to summarizer together:
// the real store, uplink, ingest and database over real TLS on the loopback.
//
// The one rule that must not be broken: what is claimed of the way (once, in
// order, nothing without a grant, nothing after a withdrawal) is counted in the
// summarizer's database, never believed of either end.
package link
