package assets

import (
	"embed"
	"path"
	"slices"
	"strconv"
)

//go:generate ./render.sh

//go:embed icons/*.png
var icons embed.FS

// IconSizes are the sizes of the icon in pixels, smallest first.
var IconSizes = []int{16, 22, 24, 32, 48, 64, 128, 256, 512}

// Icon returns the program's icon as a square PNG of the smallest size that is
// not smaller than size pixels, or of the largest.
func Icon(size int) []byte {
	i, _ := slices.BinarySearch(IconSizes, size)
	best := IconSizes[min(i, len(IconSizes)-1)]
	raw, err := icons.ReadFile(path.Join("icons", strconv.Itoa(best)+".png"))
	if err != nil {
		panic(err) // compiled in: TestIcons sees it first
	}
	return raw
}
