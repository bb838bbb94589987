// Package gitleaks compares redaction with the library of gitleaks. It is a
// module of its own, so that no program is linked with gitleaks.
//
// The one rule that must not be broken: both get the same texts in the same run.
package gitleaks
