package store

import (
	"errors"
	"os"
)

var errSystem = errors.New("keeping data is not supported on this system yet")

func checkDir(string) error                { return errSystem }
func lockFile(string) (*os.File, error)    { return nil, errSystem }
func syncDir(string) error                 { return errSystem }
func isFull(error) bool                    { return false }
func isFailedWrite(error) bool             { return false }
func freeSpace(string) (int64, error)      { return 0, errSystem }
func dropPages(addr uintptr, length int64) {}
