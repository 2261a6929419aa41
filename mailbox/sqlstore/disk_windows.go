package sqlstore

import "golang.org/x/sys/windows"

// diskSpace returns how much of the volume that holds a path is free to us, and its
// size.
func diskSpace(path string) (free, size int64, err error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, 0, err
	}
	var available, all, unused uint64
	err = windows.GetDiskFreeSpaceEx(name, &available, &all, &unused)
	return int64(available), int64(all), err
}
