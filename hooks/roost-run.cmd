@"%~dp0roost.exe" run %*
