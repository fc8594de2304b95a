"""What the firmware knows of settings: their names, the boards that heed them, and what Raspberry Pi OS ships.

From raspberrypi.com, "config.txt". Apart from the judge, for it is data: a name that is missing here is added here.
"""
_NAMES = """
    arm_64bit arm_boost arm_freq arm_freq_min arm_peri_high armstub audio_pwm_mode auto_initramfs avoid_warnings
    boot_delay boot_delay_ms boot_load_flags boot_partition boot_ramdisk boot_watchdog_partition
    boot_watchdog_timeout bootcode_delay camera_auto_detect cmdline core_freq core_freq_fixed core_freq_min
    decode_MPG2 decode_WVC1 device_tree device_tree_address device_tree_end disable_audio_dither disable_camera_led
    disable_commandline_tags disable_fw_kms_setup disable_l2cache disable_overscan disable_poe_fan disable_splash
    disable_touchscreen display_auto_detect display_default_lcd display_hdmi_rotate display_lcd_rotate
    display_rotate dtdebug dtoverlay dtparam dvfs eeprom_write_protect enable_dpi_lcd enable_gic enable_jtag_gpio
    enable_rp1_uart enable_tvout enable_uart erase_eeprom fixup_file force_eeprom_read force_turbo framebuffer_depth
    framebuffer_height framebuffer_width gpio gpu_freq gpu_freq_min gpu_mem gpu_mem_1024 gpu_mem_256 gpu_mem_512
    h264_freq h264_freq_min hat_i2c hdmi_blanking hdmi_boost hdmi_cvt hdmi_drive hdmi_edid_file hdmi_enable_4kp60
    hdmi_force_edid_audio hdmi_force_hotplug hdmi_group hdmi_ignore_edid hdmi_ignore_hotplug hdmi_mode
    hdmi_pixel_encoding hdmi_safe hdmi_timings hevc_freq hevc_freq_min ignore_lcd init_uart_baud init_uart_clock
    initial_turbo isp_freq isp_freq_min kernel kernel_address kernel_old kernel_watchdog_partition
    kernel_watchdog_timeout lcd_rotate lock_device_private_key max_framebuffer_height max_framebuffer_width
    max_framebuffers max_usb_current never_over_voltage os_check os_prefix otg_mode over_voltage over_voltage_avs
    over_voltage_avs_boost over_voltage_delta over_voltage_min over_voltage_sdram overlay_prefix overscan_bottom
    overscan_left overscan_right overscan_scale overscan_top pciex4_reset program_boot_mode program_rpiboot_gpio
    program_usb_boot_mode program_usb_boot_timeout ramdisk_address ramfsaddr ramfsfile recover_otp sdram_freq
    sdram_freq_min sdtv_aspect sdtv_mode set_reboot_arg1 set_reboot_order sha256 start_debug start_file start_x
    temp_limit temp_soft_limit total_mem tryboot uart_2ndstage upstream_kernel usb_max_current_enable v3d_freq
    v3d_freq_min
"""
KNOWN = frozenset(_NAMES.split())
# What does nothing on any other board.
ONLY_ON = {
    "arm_boost": ("pi4", "pi400", "cm4"),
    "lock_device_private_key": ("pi4", "pi400", "cm4", "pi5", "pi500", "cm5"),
    "otg_mode": ("pi4", "pi400", "cm4"),
    "usb_max_current_enable": ("pi5", "pi500", "cm5"),
}
# Lines of Raspberry Pi OS: board, setting, value, where it stands, and what is lost without it.
STOCK = (
    ("pi4", "arm_boost", "1", "[all]", "a Pi 4 then runs at 1.5 GHz and not at 1.8"),
    ("pi5", "dtoverlay", "nospi10", "[pi5]", "it sets this on each Pi 5"),
    ("cm4", "otg_mode", "1", "[cm4]", "the USB ports of a Compute Module 4 stay dead"),
    ("cm5", "dtoverlay", "dwc2,dr_mode=host", "[cm5]", "the USB ports of a Compute Module 5 stay dead"),
)
