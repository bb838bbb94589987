package assets

import "os"

func locale() string { return posix(os.Getenv) }
