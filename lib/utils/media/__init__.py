"""Finds, reads and writes pictures, videos and streams."""

from .frame import Frame, image_id_of
from .kinds import is_video
from .live import LiveVideo
from .opening import open_video, refuse_picture
from .reader import Video, VideoFile
from .sources import Found, Stream, find_media, left_out_lines, refuse_replacing, result_names, sort_out, stream_of
from .writer import VideoWriter, video_writer, write_picture

__all__ = [
    "Found", "Frame", "LiveVideo", "Stream", "Video", "VideoFile", "VideoWriter", "find_media", "image_id_of",
    "is_video", "left_out_lines", "open_video", "refuse_picture", "refuse_replacing", "result_names",
    "sort_out", "stream_of", "video_writer", "write_picture",
]  # fmt: skip
