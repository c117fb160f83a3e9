//go:build !unix

package atomicfile

import "os"

var Umask os.FileMode
