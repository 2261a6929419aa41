package doctor

import "golang.org/x/sys/windows"

// space returns the bytes that this user may still write, and all there are.
func space(dir string) (free, size uint64, err error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, err
	}
	err = windows.GetDiskFreeSpaceEx(path, &free, &size, nil)
	return free, size, err
}
