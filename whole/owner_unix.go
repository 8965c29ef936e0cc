//go:build unix

package whole

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// own gives a file the owner and the group of another.
func own(f *os.File, of fs.FileInfo) {
	if owner, ok := of.Sys().(*syscall.Stat_t); ok {
		f.Chown(int(owner.Uid), int(owner.Gid))
	}
}

// readOnly reports that no file can be made where the folder is.
func readOnly(err error) bool { return errors.Is(err, syscall.EROFS) }
