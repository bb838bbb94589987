// Package e2e runs whole sessions from outside: real X servers, a real VNC
// connection, real windows answered by real clicks, and the four programs as
// they are shipped. `make e2e` runs it (build tag e2e).
//
// The one rule that must not be broken: no test reaches into a program; it sees
// what a person, a supporter, an administrator or an attacker with a file
// browser could see. And each search that must find nothing is shown to find
// something when there is something to be found.
package e2e
