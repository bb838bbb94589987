// Package memory gives back what a resident program does not need at rest.
//
// The one rule that must not be broken: it takes only what comes back by itself.
package memory
