// Package scale has several summarizers on one PostgreSQL behind a balancer that
// passes TCP through, thousands of simulated computers connected to them, and
// servers and the database killed and started again meanwhile.
//
// The one rule that must not be broken: what counts is what the database holds at
// the end: each event that an agent was acknowledged, once, and nothing else.
package scale
