"""An action for REAPER: sound for the selected video item. Standard library only.

`omniaudio_generate_spatial_audio_for_selected_item.py` is the script that REAPER loads, and lists
under that name; it runs in REAPER's own process, where nothing of OmniAudio Studio is but this
folder and the worker's client.
"""
